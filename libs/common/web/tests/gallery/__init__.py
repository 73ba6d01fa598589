"""A made-up place whose pages show every component: what the tests look at, and what a person can look at
(`python -m libs.common.web.tests.gallery`)."""
