from libs.common.testing.database import database_fixture

database = database_fixture("shop", "libs.common.tests.shop")
