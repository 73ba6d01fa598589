"""The rules of tenders: money, limits, evaluation, lottery, ranking. Standard library and libs.common.errors only.

Every rule names its article. Marks: **[M]** the article's own text was not at hand when the rule was written (it was taken from
municipal rules that cite it); a person must compare it with e-Gov before it is relied on.
"""
