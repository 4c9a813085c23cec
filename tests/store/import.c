/* SPDX-License-Identifier: GPL-3.0-or-later */

/* Rows into records: mapping, references, updates, trials, taking back. Every import here is tried first, and the
 * trial must have said the same (kit_run). */

#include "config.h"

#include "import-kit.h"

#include <string.h>

#include "base/kt-error.h"

/* ---- mapping ---- */

static void
test_guess (Fix *fix, gconstpointer data)
{
  static const struct
  {
    const char *object, *header, *field;
  } cases[] = {
    { "account", "Company Name", "name" },
    { "account", "客户名称", "name" },
    { "account", "sector", "industry" },
    { "account", "subsidiary_of", "parent" },
    { "account", "shipperID", "external_id@shipper" },
    { "account", "Billing address city", "billing_address.city" },
    { "account", "Annual revenue currency", "annual_revenue.currency" },
    { "account", "Kontor ID", "id" },
    { "account", "Employes", "employee_count" }, /* one letter off */
    { "contact", "姓名", "full_name" },
    { "contact", "E-Mail", "email" },
    { "opportunity", "deal_stage", "stage" },
    { "opportunity", "赢单概率", "probability" },
    { "order", "shipVia", "ship_via@shipper" },
    { "user", "lastName", "name.last" },
    { "line_item", "orderID", "parent:order" },
    { "product", "supplierID", "supplier@supplier" },
    { "product", "picture", NULL },
    { "account", "favourite colour", NULL },
  };

  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_autofree char *text = g_strdup_printf ("%s,zzz\nx,y\n", cases[i].header);
      g_autoptr (KtImportPlan) plan = kit_plan (fix, cases[i].object, kit_file (fix, text), NULL);
      const KtImportColumn *column = g_ptr_array_index (plan->columns, 0);

      g_test_message ("%s", cases[i].header);
      g_assert_cmpstr (column->field, ==, cases[i].field);
    }
}

static void
test_guess_takes_a_field_once (Fix *fix, gconstpointer data)
{
  g_autoptr (KtImportPlan) plan =
    kit_plan (fix, "account", kit_file (fix, "Customer,Name,Phone,Telephone\na,b,c,d\n"), NULL);
  guint names = 0, phones = 0;

  for (guint i = 0; i < plan->columns->len; i++)
    {
      const KtImportColumn *column = g_ptr_array_index (plan->columns, i);

      names += g_strcmp0 (column->field, "name") == 0;
      phones += g_strcmp0 (column->field, "phone") == 0;
    }
  g_assert_cmpuint (names, ==, 1);
  g_assert_cmpuint (phones, ==, 1);
}

static void
test_map_by_hand (Fix *fix, gconstpointer data)
{
  g_autoptr (KtImportPlan) plan =
    kit_plan (fix, "account", kit_file (fix, "Firma,Ort\nAcme,Bonn\n"), "Firma=name",
              "Ort=billing_address.city", "Firma=legal_name", NULL);
  g_autoptr (KtImportResult) result = kit_run (fix, plan);

  assert_says (result, "c1 u0 =0 f0");
  assert_get (fix, "account", "Acme", "legal_name", "Acme"); /* one column, two fields */
  assert_get (fix, "account", "Acme", "billing_address", "{\"city\":\"Bonn\"}");
}

static void
test_map_refuses (Fix *fix, gconstpointer data)
{
  static const struct
  {
    const char *column, *field, *message;
  } cases[] = {
    { "Firma", "nam", "*no field “nam” in account. Did you mean “name”?" },
    { "Frima", "name", "*has no column “Frima”. It has: Firma, Ort." },
    { "Ort", "billing_address.town", "*no part “town”: street, city, region, postcode, country" },
    { "Ort", "open_pipeline", "*computed and cannot be imported" },
    { "Ort", "parent:contact", "*cannot refer to “contact”" },
    { "Ort", "employee_count@x", "*stands behind a reference or an external ID" },
  };
  g_autoptr (KtImportPlan) plan =
    kit_plan (fix, "account", kit_file (fix, "Firma,Ort\nAcme,Bonn\n"), NULL);
  g_autoptr (GError) error = NULL;

  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_assert_false (kt_import_plan_map (plan, cases[i].column, cases[i].field, &error));
      g_assert_error (error, KT_ERROR, KT_ERROR_INVALID);
      if (!g_pattern_match_simple (cases[i].message, error->message))
        g_error ("“%s” instead of “%s”", error->message, cases[i].message);
      g_clear_error (&error);
    }
  g_assert_false (kt_import_plan_check (plan, &error)); /* nothing is mapped */
  g_assert_error (error, KT_ERROR, KT_ERROR_INVALID);
}

static void
test_required_unmapped (Fix *fix, gconstpointer data)
{
  g_autoptr (KtImportPlan) plan =
    kit_plan (fix, "contact", kit_file (fix, "First name\nAnn\n"), NULL);
  g_autoptr (GError) error = NULL;

  g_assert_false (kt_import_plan_check (plan, &error));
  g_assert_error (error, KT_ERROR, KT_ERROR_INVALID);
  g_assert_nonnull (strstr (error->message, "--map COLUMN=last_name"));
}

static void
test_set_constants (Fix *fix, gconstpointer data)
{
  assert_import (fix, "account", "Name,Type\nAcme,customer\n", "c1 u0 =0 f0", "set:type=vendor",
                 "set:billing_address.country=Norway", NULL);
  assert_get (fix, "account", "Acme", "type", "vendor");
  assert_get (fix, "account", "Acme", "billing_address", "{\"country\":\"Norway\"}");
}

/* ---- cells ---- */

static void
test_null_cells (Fix *fix, gconstpointer data)
{
  assert_import (fix, "account", "Name,Phone,Fax,Legal name\nAcme,NULL,\\N,\"NULL\"\n",
                 "c1 u0 =0 f0", NULL);
  assert_get (fix, "account", "Acme", "phone", "-");
  assert_get (fix, "account", "Acme", "fax", "-");
  assert_get (fix, "account", "Acme", "legal_name", "NULL"); /* in quotes it is a word */
}

static void
test_guard_comes_off (Fix *fix, gconstpointer data)
{
  assert_import (fix, "account", "Name,Phone,Legal name\n'=Acme,'+49 30 1,'t Hooft\n",
                 "c1 u0 =0 f0", NULL);
  assert_get (fix, "account", "=Acme", "phone", "+49 30 1");
  assert_get (fix, "account", "=Acme", "legal_name", "'t Hooft");
}

static void
test_names_are_split (Fix *fix, gconstpointer data)
{
  static const struct
  {
    const char *full, *first, *last;
  } cases[] = {
    { "Ann Marie Lee", "Ann Marie", "Lee" },
    { "\"Lee, Ann\"", "Ann", "Lee" },
    { "张三", "三", "张" },
    { "欧阳娜娜", "娜娜", "欧阳" },
    { "Cher", "-", "Cher" },
  };

  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_autofree char *text =
        g_strdup_printf ("Contact name,External ID\n%s,p%u\n", cases[i].full, i);
      g_autofree char *code = g_strdup_printf ("p%u", i);

      assert_import (fix, "contact", text, "c1 u0 =0 f0", NULL);
      assert_get (fix, "contact", code, "first_name", cases[i].first);
      assert_get (fix, "contact", code, "last_name", cases[i].last);
    }
}

static void
test_names_are_joined (Fix *fix, gconstpointer data)
{
  assert_import (fix, "user", "Last name,First name\nLee,Ann\n张,三\n", "c2 u0 =0 f0", NULL);
  assert_get (fix, "user", "Ann Lee", "user_name", "Ann Lee");
  assert_get (fix, "user", "张三", "name", "张三");
}

static void
test_dates_by_column (Fix *fix, gconstpointer data)
{
  const char *day_first = "Product,Valid from\na,3/4/2026\nb,25/4/2026\n";
  const char *month_first = "Product,Valid from\nc,3/4/2026\nd,4/25/2026\n";
  const char *neither = "Product,Valid from\ne,3/4/2026\nf,2026-05-01\n";
  const char *both = "Product,Valid from\ng,3/4/2026\nh,25/4/2026\ni,4/25/2026\n";

  assert_import (fix, "product", day_first, "c2 u0 =0 f0", "locale:zh_CN", NULL);
  assert_get (fix, "product", "a", "valid_from", "2026-04-03");
  assert_import (fix, "product", month_first, "c2 u0 =0 f0", "locale:de", NULL);
  assert_get (fix, "product", "c", "valid_from", "2026-03-04");
  assert_import (fix, "product", neither,
                 "c1 u0 =0 f1\n2 Valid from: Valid from: \"3/4/2026\" can be read in two ways; "
                 "write it as 2026-01-31",
                 "locale:en", NULL);
  assert_import (fix, "product", neither, "c2 u0 =0 f0", "locale:de", NULL);
  assert_import (fix, "product", both,
                 "c2 u0 =0 f1\n2 Valid from: Valid from: \"3/4/2026\" can be read in two ways; "
                 "write it as 2026-01-31",
                 "locale:en", NULL);
  assert_import (fix, "product", "Product,Valid from\nn,1996-07-04 00:00:00.000\n", "c1 u0 =0 f0",
                 NULL);
  assert_get (fix, "product", "n", "valid_from", "1996-07-04");
}

static void
test_points_by_column (Fix *fix, gconstpointer data)
{
  assert_import (fix, "product", "Product,Price\na,1.234\nb,12.5\n", "c2 u0 =0 f0", "locale:de",
                 NULL);
  assert_get (fix, "product", "a", "list_price", "{\"amount\":\"1.234\",\"currency\":\"EUR\"}");
  assert_import (fix, "product", "Product;Price\nc;1.234\nd;12,5\n", "c2 u0 =0 f0", "locale:en",
                 NULL);
  assert_get (fix, "product", "c", "list_price", "{\"amount\":\"1234\",\"currency\":\"EUR\"}");
  /* Another column of the file knows. */
  assert_import (fix, "product", "Product;Price;Stock\ne;1.234;1,5\n", "c1 u0 =0 f0", "locale:en",
                 NULL);
  assert_get (fix, "product", "e", "list_price", "{\"amount\":\"1234\",\"currency\":\"EUR\"}");
  /* Nobody knows: the reader's language. */
  assert_import (fix, "product", "Product;Price\nf;1.234\n", "c1 u0 =0 f0", "locale:de", NULL);
  assert_get (fix, "product", "f", "list_price", "{\"amount\":\"1234\",\"currency\":\"EUR\"}");
}

static void
test_fractions_are_per_cents (Fix *fix, gconstpointer data)
{
  g_autoptr (KtImportResult) result = NULL;

  assert_import (fix, "opportunity", "Name,Probability\na,0.15\nb,1\nc,0\n", "c3 u0 =0 f0", NULL);
  assert_get (fix, "opportunity", "a", "probability", "\"15\"");
  assert_get (fix, "opportunity", "b", "probability", "\"100\"");
  assert_import (fix, "opportunity", "Name,Probability\nd,0.5\ne,80\n", "c2 u0 =0 f0", NULL);
  assert_get (fix, "opportunity", "d", "probability", "\"0.5\"");
  result = kit_import (fix, "opportunity", "Name,Probability\nf,0.125\n", NULL);
  assert_get (fix, "opportunity", "f", "probability", "\"12.5\"");
  g_assert_cmpuint (result->notes->len, ==, 1);
}

static void
test_currencies (Fix *fix, gconstpointer data)
{
  assert_import (fix, "product",
                 "Product,Price,list_price.currency,Cost\na,12,USD,3\nb,\"13 CNY\",,\n",
                 "c2 u0 =0 f0", NULL);
  assert_get (fix, "product", "a", "list_price", "{\"amount\":\"12\",\"currency\":\"USD\"}");
  assert_get (fix, "product", "a", "cost", "{\"amount\":\"3\",\"currency\":\"EUR\"}");
  assert_get (fix, "product", "b", "list_price", "{\"amount\":\"13\",\"currency\":\"CNY\"}");
}

/* ---- bad rows ---- */

static void
test_bad_rows (Fix *fix, gconstpointer data)
{
  g_autoptr (KtImportPlan) plan =
    kit_plan (fix, "account",
              kit_file (fix, "Name,Employees,Founded,Type\nAcme,10,1990,customer\nBad,ten,19x,\n"
                             ",5,,\nMulti,\"1\nx\",,\nGood,7,,vendor\nOdd,8,,alien\n"),
              NULL);
  g_autofree char *report = g_build_filename (fix->dir, "report.csv", NULL);
  g_autofree char *text = NULL;
  g_autoptr (GError) error = NULL;
  g_autoptr (KtImportResult) result =
    kt_import_run (fix->local, plan, FALSE, report, NULL, NULL, NULL, NULL, &error);

  g_assert_no_error (error);
  g_assert_cmpuint (result->read, ==, 6);
  g_assert_cmpuint (result->created, ==, 2);
  g_assert_cmpuint (result->failed, ==, 4);
  g_assert_cmpuint (result->errors->len, ==, 5); /* both cells of the second row */
  {
    const KtImportError *first = g_ptr_array_index (result->errors, 0);
    const KtImportError *third = g_ptr_array_index (result->errors, 2);
    const KtImportError *last = g_ptr_array_index (result->errors, 4);

    g_assert_cmpuint (first->row, ==, 3);
    g_assert_cmpstr (first->column, ==, "Employees");
    g_assert_cmpuint (third->row, ==, 4);
    g_assert_cmpuint (last->row, ==, 8); /* the line in the file, not the count */
    g_assert_cmpstr (last->column, ==, "Type");
  }
  g_assert_cmpstr (result->report, ==, report);
  g_file_get_contents (report, &text, NULL, &error);
  g_assert_no_error (error);
  g_assert_true (g_str_has_prefix (
    text, "\xef\xbb\xbfName,Employees,Founded,Type,row,reason\r\nBad,ten,19x,,3,"));
  g_assert_nonnull (strstr (text, "\r\nMulti,\"1\nx\",,,5,"));
  {
    /* Mended, the report is the next import. */
    g_autoptr (GString) mended = g_string_new (text);

    g_string_replace (mended, "ten", "10", 0);
    g_string_replace (mended, "19x", "1999", 0);
    g_string_replace (mended, "\r\n,5", "\r\nNamed,5", 0);
    g_string_replace (mended, "\"1\nx\"", "12", 0);
    g_string_replace (mended, "alien", "partner", 0);
    assert_import (fix, "account", mended->str, "c4 u0 =0 f0", NULL);
  }
}

static void
test_no_report_when_all_is_well (Fix *fix, gconstpointer data)
{
  g_autoptr (KtImportPlan) plan = kit_plan (fix, "account", kit_file (fix, "Name\nAcme\n"), NULL);
  g_autofree char *report = g_build_filename (fix->dir, "report.csv", NULL);
  g_autoptr (GError) error = NULL;
  g_autoptr (KtImportResult) result =
    kt_import_run (fix->local, plan, FALSE, report, NULL, NULL, NULL, NULL, &error);

  g_assert_no_error (error);
  g_assert_null (result->report);
  g_assert_false (g_file_test (report, G_FILE_TEST_EXISTS));
}

static void
test_rows_of_another_width (Fix *fix, gconstpointer data)
{
  g_autoptr (KtImportResult) result = NULL;

  /* Too short: what is missing is blank. Empty cells behind the last column are nothing. */
  assert_import (fix, "account", "Name,Phone,Fax\nShort\nLong,1,2,,,\n", "c2 u0 =0 f0", NULL);
  /* Commas in a text, written without quotes, where that is certain. */
  result = kit_import (fix, "account", "Name,Phone,Fax\nPavlova, Ltd.,1,2\nA, b, c,3,4\n", NULL);
  assert_says (result, "c2 u0 =0 f0");
  assert_get (fix, "account", "Pavlova, Ltd.", "fax", "2");
  assert_get (fix, "account", "A, b, c", "phone", "3");
  g_assert_cmpstr (g_ptr_array_index (result->notes, 0), ==,
                   "2 rows have texts with commas and without quotes; they were put together "
                   "again, such as “Pavlova, Ltd.”.");
  assert_import (fix, "account", "Name,Phone,Fax\nRed,blue,1,2\nX,1, 2, 3\n",
                 "c0 u0 =0 f2\n2 -: The row has 4 cells, the header has 3. A text that holds the "
                 "separator must stand in quotes.\n3 -: The row has 4 cells, the header has 3. A "
                 "text that holds the separator must stand in quotes.",
                 NULL);
}

static void
test_unique_values (Fix *fix, gconstpointer data)
{
  assert_import (fix, "product", "Product,SKU\na,s1\nb,s1\nc,s2\n",
                 "c2 u0 =0 f1\n3 SKU: “s1” is taken by an earlier row. Choose SKU as match key to "
                 "update instead.",
                 NULL);
  assert_import (fix, "product", "Product,SKU\nd,s2\n",
                 "c0 u0 =0 f1\n2 SKU: “s2” is taken by c. Choose SKU as match key to update "
                 "instead.",
                 NULL);
  /* A shared mailbox is no key. */
  assert_import (fix, "contact", "Last name,Email\nLi,office@example.com\nLee,office@example.com\n", "c2 u0 =0 f0", NULL);
}

/* ---- references ---- */

static void
test_references (Fix *fix, gconstpointer data)
{
  static const char *const spellings[] = { "GTX Pro", "gtx pro", "GTXPro", "g-77", "SKU-7" };

  assert_import (fix, "product", "Product,SKU,External ID\nGTX Pro,SKU-7,g-77\n", "c1 u0 =0 f0",
                 NULL);
  for (guint i = 0; i < G_N_ELEMENTS (spellings); i++)
    {
      g_autofree char *text = g_strdup_printf ("Name,Product\ndeal %u,%s\n", i, spellings[i]);
      g_autofree char *name = g_strdup_printf ("deal %u", i);

      assert_import (fix, "opportunity", text, "c1 u0 =0 f0", NULL);
      assert_get (fix, "opportunity", name, "product", "GTX Pro");
    }
  assert_import (fix, "opportunity", "Name,Product\nx,GTX Max\n",
                 "c0 u0 =0 f1\n2 Product: There is no Product called “GTX Max”. Import it first, "
                 "or let missing ones be made.",
                 NULL);
}

static void
test_ambiguous_reference (Fix *fix, gconstpointer data)
{
  g_autoptr (KtImportResult) result = NULL;
  const KtImportError *problem;

  assert_import (fix, "account", "Name,External ID\nAcme,1\nAcme,2\n", "c2 u0 =0 f0", NULL);
  result = kit_import (fix, "opportunity", "Name,Account\nx,Acme\ny,2\n", NULL);
  g_assert_cmpuint (result->created, ==, 1);
  g_assert_cmpuint (result->failed, ==, 1);
  problem = g_ptr_array_index (result->errors, 0);
  g_assert_nonnull (strstr (problem->message, "\"Acme\" matches 2 Accounts"));
}

static void
test_self_references (Fix *fix, gconstpointer data)
{
  /* Later in the file, earlier, squashed, itself not there. */
  assert_import (fix, "account", "Name,Parent account\nA,Z-Holding\nB,A\nZ Holding,\nC,Nobody\n",
                 "c4 u0 =0 f0\n5 Parent account: There is no Account called “Nobody”. Import it "
                 "first, or let missing ones be made. The row goes in without it.",
                 NULL);
  assert_get (fix, "account", "A", "parent", "Z Holding");
  assert_get (fix, "account", "B", "parent", "A");
  assert_get (fix, "account", "C", "parent", "-");
}

static void
test_self_references_far_apart (Fix *fix, gconstpointer data)
{
  g_autoptr (GString) text = g_string_new ("Name,Parent account\n");
  g_autoptr (KtImportResult) result = NULL;

  /* Over several mutations, in both directions. */
  for (guint i = 0; i < 1300; i++)
    g_string_append_printf (text, "firm %u,firm %u\n", i, 1299 - i);
  result = kit_import (fix, "account", text->str, NULL);
  assert_says (result, "c1300 u0 =0 f0");
  assert_get (fix, "account", "firm 0", "parent", "firm 1299");
  assert_get (fix, "account", "firm 1299", "parent", "firm 0");
  assert_get (fix, "account", "firm 640", "parent", "firm 659");
}

static void
test_create_missing (Fix *fix, gconstpointer data)
{
  const char *text = "Agent,Manager,Office\nAnn Lee,Bob Ray,North\nCy Dee,Bob Ray,North\n";

  assert_import (fix, "user", text, "c2 u0 =0 f0", "Agent=name", "Office=default_team", "create",
                 NULL);
  assert_get (fix, "user", "Ann Lee", "manager", "Bob Ray");
  assert_get (fix, "user", "Cy Dee", "default_team", "North");
  g_assert_cmpint (fix_count (fix, "SELECT count(*) FROM o_team"), ==, 1);
  g_assert_cmpint (fix_count (fix, "SELECT count(*) FROM o_user"), ==, 3);
  /* Persons are made with both names. */
  assert_import (fix, "account", "Name,Contact\nAcme,Eve Moss\n", "c1 u0 =0 f0", "create", NULL);
  assert_get (fix, "contact", "Eve Moss", "last_name", "Moss");
  /* What needs more than a name is not made. */
  assert_import (fix, "line_item", "Order,Price\nO-1,5\n",
                 "c0 u0 =0 f1\n2 Order: There is no Order called “O-1”. Import it first, or let "
                 "missing ones be made.",
                 "create", NULL);
}

static void
test_any_reference (Fix *fix, gconstpointer data)
{
  g_autofree char *number = NULL;

  assert_import (fix, "account", "Name\nAcme\n", "c1 u0 =0 f0", NULL);
  assert_import (fix, "order", "Order ID,Account,Order date\n10248,Acme,2026-01-02\n",
                 "c1 u0 =0 f0", NULL);
  assert_import (fix, "opportunity", "Name,External ID\n10248,77\n", "c1 u0 =0 f0", NULL);
  /* A column that says so; a cell that says so; neither. */
  assert_import (fix, "line_item", "orderID,Price,External ID\n10248,5,l1\n", "c1 u0 =0 f0", NULL);
  assert_import (fix, "line_item", "Document,Price,External ID\nopportunity:10248,5,l2\n",
                 "c1 u0 =0 f0", NULL);
  assert_import (fix, "line_item", "Document,Price\n10248,5\n",
                 "c0 u0 =0 f1\n2 Document: “10248” could be several things: write object:name, "
                 "for example opportunity:10248.",
                 NULL);
  number = kit_get (fix, "line_item", "l1", "parent");
  g_assert_nonnull (strstr (number, "\"order\""));
  g_free (number);
  number = kit_get (fix, "line_item", "l2", "parent");
  g_assert_nonnull (strstr (number, "\"opportunity\""));
}

static void
test_sources (Fix *fix, gconstpointer data)
{
  /* Suppliers and shippers both count from 1, and both are accounts. */
  assert_import (fix, "account", "supplierID,Name\n1,Exotic\n", "c1 u0 =0 f0", NULL);
  assert_import (fix, "account", "shipperID,Name\n1,Speedy\n", "c1 u0 =0 f0", NULL);
  assert_import (fix, "account", "customerID,Name\n1,Alfred\n", "c1 u0 =0 f0", NULL);
  assert_get (fix, "account", "Speedy", "external_id", "shipper:1");
  assert_import (fix, "product", "Product,supplierID\nChai,1\n", "c1 u0 =0 f0", NULL);
  assert_get (fix, "product", "Chai", "supplier", "Exotic");
  assert_import (fix, "order", "orderID,customerID,shipVia,orderDate\n7,1,1,2026-01-02\n",
                 "c1 u0 =0 f0", NULL);
  assert_get (fix, "order", "7", "ship_via", "Speedy");
  assert_get (fix, "order", "7", "account", "Alfred");
  /* By name it still goes. */
  assert_import (fix, "order", "orderID,customerID,shipVia,orderDate\n8,1,Speedy,2026-01-02\n",
                 "c1 u0 =0 f0", NULL);
  assert_get (fix, "order", "8", "ship_via", "Speedy");
}

static void
test_lists_of_references (Fix *fix, gconstpointer data)
{
  g_autofree char *teams = NULL;

  assert_import (fix, "team", "Name\nNorth\n\"South, far\"\n", "c2 u0 =0 f0", NULL);
  assert_import (fix, "user", "Name,Teams\nAnn,\"North;South, far\"\nBob,Nowhere\n",
                 "c1 u0 =0 f1\n3 Teams: There is no Team called “Nowhere”. Import it first, or "
                 "let missing ones be made.",
                 NULL);
  teams = kit_get (fix, "user", "Ann", "teams");
  g_assert_cmpuint (strlen (teams), ==, 2 * 38 + 3);
}

/* ---- titles, stages ---- */

static void
test_titles_are_composed (Fix *fix, gconstpointer data)
{
  assert_import (fix, "account", "Name\nCancity\n", "c1 u0 =0 f0", NULL);
  assert_import (fix, "product", "Product\nGTX Pro\n", "c1 u0 =0 f0", NULL);
  assert_import (fix, "opportunity",
                 "opportunity_id,account,product\n1,Cancity,GTXPro\n2,,GTX Pro\n3,,\n",
                 "c3 u0 =0 f0", NULL);
  assert_get (fix, "opportunity", "1", "name", "Cancity – GTX Pro");
  assert_get (fix, "opportunity", "2", "name", "GTX Pro");
  assert_get (fix, "opportunity", "3", "name", "3");
}

static void
make_pipelines (Fix *fix)
{
  assert_import (fix, "pipeline",
                 "Name,Object\nSales,opportunity\nHardware,opportunity\nCases,case\n",
                 "c3 u0 =0 f0", NULL);
  assert_import (fix, "pipeline_stage",
                 "Pipeline,Name,Type,Probability\nSales,First,open,10\nSales,Won,won,100\n"
                 "Hardware,Engaging,open,40\nHardware,Won,won,90\nHardware,Lost,lost,0\n"
                 "Cases,Won,resolved,\nCases,Engaging,new,\n",
                 "c7 u0 =0 f0", NULL);
}

static void
test_stages_by_column (Fix *fix, gconstpointer data)
{
  g_autoptr (KtImportResult) result = NULL;

  make_pipelines (fix);
  result = kit_import (fix, "opportunity", "Name,Stage\na,Won\nb,engaging\nc,LOST\n", NULL);
  assert_says (result, "c3 u0 =0 f0");
  g_assert_cmpstr (g_ptr_array_index (result->notes, 0), ==,
                   "Stage: read as stages of “Hardware”.");
  assert_get (fix, "opportunity", "a", "pipeline", "Hardware");
  assert_get (fix, "opportunity", "a", "probability", "\"90\"");
  assert_get (fix, "opportunity", "a", "status", "won");
  assert_get (fix, "opportunity", "b", "stage", "Engaging");
}

static void
test_stages_by_row (Fix *fix, gconstpointer data)
{
  make_pipelines (fix);
  /* The stage column stands first, and still the pipeline of the row decides. */
  assert_import (fix, "opportunity", "Stage,Name,Pipeline\nWon,a,Sales\nWon,b,Hardware\n",
                 "c2 u0 =0 f0", NULL);
  assert_get (fix, "opportunity", "a", "probability", "\"100\"");
  assert_get (fix, "opportunity", "b", "probability", "\"90\"");
}

static void
test_stages_unknown (Fix *fix, gconstpointer data)
{
  g_autoptr (KtImportResult) result = NULL;

  make_pipelines (fix);
  result = kit_import (fix, "opportunity", "Name,Stage\na,Won\nb,Somewhere\n", NULL);
  g_assert_cmpuint (result->failed, ==, 2); /* which Won is meant cannot be told */
}

/* ---- updates ---- */

static void
test_match (Fix *fix, gconstpointer data)
{
  assert_import (fix, "account", "External ID,Name,Phone\n1,Acme,111\n2,Beta,222\n", "c2 u0 =0 f0",
                 NULL);
  assert_import (fix, "account",
                 "External ID,Name,Phone\n1,Acme,119\n2,Beta,222\n3,Gamma,\n1,,\n,Delta,4\n",
                 "c2 u1 =2 f0", "match:external_id", NULL);
  assert_get (fix, "account", "1", "phone", "119");
  g_assert_cmpint (fix_count (fix, "SELECT count(*) FROM o_account"), ==, 4);
}

static void
test_match_repeats_in_the_file (Fix *fix, gconstpointer data)
{
  /* What a later row does to a record that an earlier one made, is known before it is committed. */
  assert_import (fix, "account",
                 "External ID,Name,Phone,Fax\n1,Acme,1,\n1,Acme,1,\n1,,2,\n1,,,3\n2,Beta,,\n",
                 "c2 u2 =1 f0", "match:external_id", NULL);
  assert_get (fix, "account", "1", "name", "Acme");
  assert_get (fix, "account", "1", "phone", "2");
  assert_get (fix, "account", "1", "fax", "3");
  assert_import (fix, "account", "External ID,Phone\n1,5\n1,5\n1,6\n", "c0 u2 =1 f0",
                 "match:external_id", NULL);
  assert_get (fix, "account", "1", "phone", "6");
}

static void
test_match_by_name (Fix *fix, gconstpointer data)
{
  assert_import (fix, "contact", "Name,Email\nAnn Lee,ann@x.org\nBob Ray,bob@x.org\n",
                 "c2 u0 =0 f0", NULL);
  assert_import (fix, "contact", "Name,Phone\nann lee,1\nLee Ann,2\n", "c1 u1 =0 f0",
                 "match:full_name", NULL);
  assert_get (fix, "contact", "Ann Lee", "phone", "1");
  assert_get (fix, "contact", "Ann Lee", "email", "ann@x.org");
  assert_import (fix, "contact", "Name,Email\nAnn Leeson,ann@x.org\n", "c0 u1 =0 f0", "match:email",
                 NULL);
  assert_get (fix, "contact", "Ann Leeson", "phone", "1");
}

static void
test_match_several (Fix *fix, gconstpointer data)
{
  assert_import (fix, "account", "Name,Phone\nA,1\nB,1\n", "c2 u0 =0 f0", NULL);
  assert_import (fix, "account", "Name,Phone\nC,1\n",
                 "c0 u0 =0 f1\n2 Phone: Several records have this Phone: which one is meant "
                 "cannot be told.",
                 "match:phone", NULL);
}

static void
test_match_refused (Fix *fix, gconstpointer data)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (KtImportPlan) plan =
    kit_plan (fix, "account", kit_file (fix, "Name,Notes\nA,b\n"), "match:description", NULL);

  g_assert_false (kt_import_plan_check (plan, &error));
  g_assert_error (error, KT_ERROR, KT_ERROR_INVALID);
  g_clear_error (&error);
  g_free (plan->match);
  plan->match = g_strdup ("phone");
  g_assert_false (kt_import_plan_check (plan, &error));
  g_assert_error (error, KT_ERROR, KT_ERROR_INVALID);
}

static void
test_by_id (Fix *fix, gconstpointer data)
{
  KtId id;
  char id_text[KT_ID_TEXT_SIZE];
  g_autofree char *text = NULL;

  fix_create (fix, "account", &id, "name", "Acme", NULL);
  kt_id_format (&id, id_text);
  text = g_strdup_printf ("Kontor ID,Phone,Name\n%s,1,\nnonsense,2,Beta\n,3,Gamma\n", id_text);
  assert_import (fix, "account", text,
                 "c1 u1 =0 f1\n3 Kontor ID: This is not an id of Kontor. Leave the column out, or "
                 "the cell blank for a new record.",
                 NULL);
  assert_text (fix, "account", &id, "phone", "1");
  fix_delete (fix, "account", &id);
  assert_import (fix, "account", text,
                 "c1 u0 =0 f2\n2 Kontor ID: This record is in the bin. Restore it first, or leave "
                 "the row out.\n3 Kontor ID: This is not an id of Kontor. Leave the column out, "
                 "or the cell blank for a new record.",
                 NULL);
}

/* ---- taking back, stopping ---- */

static guint
undo (Fix *fix, const char *batch)
{
  g_autoptr (GError) error = NULL;
  guint records = 0;

  kt_import_undo (fix->local, batch, &records, NULL, &error);
  g_assert_no_error (error);
  return records;
}

static void
test_undo_before_sending (Fix *fix, gconstpointer data)
{
  g_autoptr (KtImportResult) result = NULL;

  assert_import (fix, "account", "External ID,Name\n1,Acme\n", "c1 u0 =0 f0", NULL);
  result =
    kit_import (fix, "account", "External ID,Name\n1,Changed\n2,New\n", "match:external_id", NULL);
  assert_says (result, "c1 u1 =0 f0");
  g_assert_cmpuint (undo (fix, result->batch), ==, 2);
  g_assert_cmpint (fix_count (fix, "SELECT count(*) FROM o_account WHERE f_deleted_at IS NULL"), ==,
                   1);
  assert_get (fix, "account", "1", "name", "Acme");
  g_assert_cmpuint (fix_waiting (fix), ==, 1); /* as if it had never been */
}

static void
test_undo_after_sending (Fix *fix, gconstpointer data)
{
  g_autoptr (KtImportResult) result = NULL;
  g_autofree char *sent = NULL;
  KtId kept;

  assert_import (fix, "account", "External ID,Name\n1,Acme\n", "c1 u0 =0 f0", NULL);
  result = kit_import (fix, "account", "External ID,Name,Phone\n1,Changed,7\n2,New,8\n",
                       "match:external_id", NULL);
  sent = fix_take (fix);
  g_assert_nonnull (strstr (sent, result->batch));
  kt_local_find (fix->local, fix_object (fix, "account"), "1", &kept, NULL);
  fix_set (fix, "account", &kept, "phone", "9"); /* by hand, since */
  g_assert_cmpuint (undo (fix, result->batch), ==, 2);
  assert_get (fix, "account", "1", "name", "Acme");
  assert_get (fix, "account", "1", "phone", "9");
  g_assert_cmpint (fix_count (fix, "SELECT count(*) FROM o_account WHERE f_deleted_at IS NULL"), ==,
                   1);
  /* Once more does no harm. */
  undo (fix, result->batch);
  assert_get (fix, "account", "1", "name", "Acme");
}

static void
stop_cb (guint64 bytes, guint64 total, guint64 rows, gpointer data)
{
  g_assert_cmpuint (bytes, <=, total);
  if (rows >= 1000)
    g_cancellable_cancel (data);
}

static void
test_cancel (Fix *fix, gconstpointer data)
{
  g_autoptr (GString) text = g_string_new ("Name\n");
  g_autoptr (GCancellable) cancellable = g_cancellable_new ();
  g_autoptr (KtImportPlan) plan = NULL;
  g_autoptr (KtImportResult) result = NULL;
  g_autoptr (GPtrArray) sets =
    g_ptr_array_new_with_free_func ((GDestroyNotify) kt_change_set_unref);
  g_autoptr (GError) error = NULL;

  for (guint i = 0; i < 3000; i++)
    g_string_append_printf (text, "firm %u\n", i);
  plan = kit_plan (fix, "account", kit_file (fix, text->str), NULL);
  result =
    kt_import_run (fix->local, plan, FALSE, NULL, stop_cb, cancellable, cancellable, sets, &error);
  g_assert_no_error (error);
  g_assert_cmpuint (result->created, ==, 1000); /* what is in stays in … */
  g_assert_cmpuint (sets->len, ==, 2);
  g_assert_cmpuint (undo (fix, result->batch), ==, 1000); /* … and can be taken back */
  g_assert_cmpint (fix_count (fix, "SELECT count(*) FROM o_account"), ==, 0);
}

static void
test_large_rows (Fix *fix, gconstpointer data)
{
  g_autoptr (GString) text = g_string_new ("Name,Notes\n");
  g_autofree char *notes = g_strnfill (90 * 1024, 'n');
  g_autofree char *huge = g_strnfill (3 * 1024 * 1024, 'h');
  g_autoptr (KtImportResult) result = NULL;

  /* More than one mutation may weigh; and one record that is too large by itself. */
  for (guint i = 0; i < 200; i++)
    g_string_append_printf (text, "firm %u,%s\n", i, i == 7 ? huge : notes);
  result = kit_import (fix, "account", text->str, NULL);
  g_assert_cmpuint (result->created, ==, 199);
  g_assert_cmpuint (result->failed, ==, 1);
}

static void
test_not_allowed (Fix *fix, gconstpointer data)
{
  KtIdentity identity = { .access = { fix->me, FALSE, (char *) "Ada" },
                          .device = kt_local_identity (fix->local)->device,
                          .epoch = fix->epoch,
                          .server = (char *) "http://127.0.0.1:1",
                          .user_name = (char *) "ada",
                          .currency = (char *) "EUR",
                          .workspace = (char *) "Test" };
  g_autoptr (KtImportPlan) plan = NULL;
  g_autoptr (GError) error = NULL;

  g_assert_true (kt_local_set_identity (fix->local, &identity, &error));
  plan = kit_plan (fix, "user", kit_file (fix, "Name\nAnn\n"), NULL);
  g_assert_null (kt_import_run (fix->local, plan, FALSE, NULL, NULL, NULL, NULL, NULL, &error));
  g_assert_error (error, KT_ERROR, KT_ERROR_FORBIDDEN);
  /* Nor by a detour. */
  assert_import (fix, "account", "Name,Owner\nAcme,Bob\n",
                 "c0 u0 =0 f1\n2 Owner: There is no User called “Bob”. Import it first, or let "
                 "missing ones be made.",
                 "create", NULL);
}

#define add(path, function) \
  g_test_add ("/store/import/" path, Fix, NULL, fix_set_up_ready, function, fix_tear_down)

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  add ("mapping/guess", test_guess);
  add ("mapping/field-once", test_guess_takes_a_field_once);
  add ("mapping/by-hand", test_map_by_hand);
  add ("mapping/refuses", test_map_refuses);
  add ("mapping/required", test_required_unmapped);
  add ("mapping/constants", test_set_constants);
  add ("cells/null", test_null_cells);
  add ("cells/guard", test_guard_comes_off);
  add ("cells/names-split", test_names_are_split);
  add ("cells/names-joined", test_names_are_joined);
  add ("cells/dates", test_dates_by_column);
  add ("cells/points", test_points_by_column);
  add ("cells/fractions", test_fractions_are_per_cents);
  add ("cells/currencies", test_currencies);
  add ("rows/bad", test_bad_rows);
  add ("rows/no-report", test_no_report_when_all_is_well);
  add ("rows/width", test_rows_of_another_width);
  add ("rows/unique", test_unique_values);
  add ("references/spellings", test_references);
  add ("references/ambiguous", test_ambiguous_reference);
  add ("references/self", test_self_references);
  add ("references/self-far", test_self_references_far_apart);
  add ("references/create-missing", test_create_missing);
  add ("references/any", test_any_reference);
  add ("references/sources", test_sources);
  add ("references/lists", test_lists_of_references);
  add ("titles", test_titles_are_composed);
  add ("stages/column", test_stages_by_column);
  add ("stages/row", test_stages_by_row);
  add ("stages/unknown", test_stages_unknown);
  add ("match/key", test_match);
  add ("match/repeats", test_match_repeats_in_the_file);
  add ("match/name", test_match_by_name);
  add ("match/several", test_match_several);
  add ("match/refused", test_match_refused);
  add ("match/id", test_by_id);
  add ("undo/before-sending", test_undo_before_sending);
  add ("undo/after-sending", test_undo_after_sending);
  add ("cancel", test_cancel);
  add ("large-rows", test_large_rows);
  add ("not-allowed", test_not_allowed);
  return g_test_run ();
}
