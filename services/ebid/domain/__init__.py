"""The rules of tenders: money, limits, evaluation, lottery, ranking. Standard library and libs.common.errors only.

Every rule names its article. Marks: **[M]** the text itself was not at hand (the rule was taken from municipal rules that cite it); a
person must compare it before it is relied on. Without a mark it was read; the README says in which copy.
"""
