/* SPDX-License-Identifier: GPL-3.0-or-later */

/* What leaves as a table comes back as it was. */

#include "config.h"

#include "import-kit.h"

#include <glib/gstdio.h>
#include <string.h>

#include "base/kt-error.h"

static char *
export_text (Fix *fix, const char *object, const char *fields, gboolean labels, const char *locale)
{
  g_autofree char *path = g_build_filename (fix->dir, "export.csv", NULL);
  g_autoptr (KtQuery) query = kt_query_new (fix_object (fix, object));
  g_auto (GStrv) names = fields != NULL ? g_strsplit (fields, ",", -1) : NULL;
  g_autofree const KtField **list = NULL;
  g_autoptr (GError) error = NULL;
  guint64 rows = 0;
  char *text = NULL;

  if (names != NULL)
    {
      list = g_new0 (const KtField *, g_strv_length (names) + 1);
      for (guint i = 0; names[i] != NULL; i++)
        list[i] = kt_object_field (query->object, names[i]);
    }
  kt_query_add_sort (query, query->object->title, FALSE);
  kt_export_run (fix->local, query, list, path, labels, locale, &rows, NULL, &error);
  g_assert_no_error (error);
  g_assert_cmpint ((gint64) rows, ==, kt_local_count (fix->local, query, NULL));
  g_file_get_contents (path, &text, NULL, &error);
  g_assert_no_error (error);
  return text;
}

static void
back_again (Fix *fix, const char *object, gboolean labels, const char *locale)
{
  g_autofree char *text = export_text (fix, object, NULL, labels, locale);
  g_autofree char *word = g_strdup_printf ("locale:%s", locale);
  g_autoptr (KtImportResult) result = kit_import (fix, object, text, word, NULL);
  g_autofree char *says = kit_says (result);

  g_test_message ("%s %s: %s", object, locale, says);
  g_assert_cmpuint (result->created + result->updated + result->failed, ==, 0);
  g_assert_cmpuint (result->errors->len, ==, 0);
  g_assert_cmpuint (result->unchanged, >, 0);
}

static void
fill (Fix *fix)
{
  assert_import (fix, "user", "Name\nAnn Lee\n\"Dee; Cy\"\n\"Ray, Bob\"\n", "c3 u0 =0 f0", NULL);
  assert_import (fix, "team", "Name\nNorth\nSouth\n", "c2 u0 =0 f0", NULL);
  assert_import (fix, "pipeline", "Name\nSales\nHardware\n", "c2 u0 =0 f0", NULL);
  assert_import (fix, "pipeline_stage",
                 "Pipeline,Name,Type\nSales,Won,won\nHardware,Won,won\nHardware,Lost,lost\n",
                 "c3 u0 =0 f0", NULL);
  assert_import (fix, "product",
                 "Product,SKU,Price,Stock,Active\nGTX Pro,7,1.234,1.2345,yes\nB,8,-5,0.125,no\n",
                 "c2 u0 =0 f0", "locale:en", NULL);
  assert_import (
    fix, "account",
    "Name,Legal name,Phone,Parent,Tags,Street,City,Country,Revenue,annual_revenue.currency,Notes,Type,Owner,Followers,Is person\n"
    "Acme,=1+1,'+49 30 1,,\"a;b\",\"5, Main St\",Bonn,Germany,12.5,USD,\"two\nlines\",customer,Ann Lee,\"Ann Lee;Ray, Bob\",no\n"
    "Acme,'=1,-5,,\"x, y;\",,,,,,\"  kept  \",vendor,\"Ray, Bob\",\"Ray, Bob;\",yes\n"
    "Tail,'t,\"NULL\",,,,,,,,,,,,\n"
    "Son,\"NULL\",@x,Tail,,,,,1234567.8901,EUR,,,\"Dee; Cy\",,\n",
    "c4 u0 =0 f0", "locale:en", NULL);
  assert_import (fix, "opportunity",
                 "Name,Account,Pipeline,Stage,Probability,Close date,Amount,Product\n"
                 "\"Big, \"\"deal\"\"\",Tail,Hardware,Won,12.5 %,2026-02-28,1000.01,GTX Pro\n"
                 "+small,,Sales,Won,100 %,,,\n",
                 "c2 u0 =0 f0", "locale:en", NULL);
  assert_import (fix, "contact", "Name,Email,Birthday\nAnn Marie Lee,a@x.org,1990-01-31\n张三,,\n",
                 "c2 u0 =0 f0", NULL);
  assert_import (fix, "order", "Order ID,Account,Order date\n1,Tail,2026-01-02\n", "c1 u0 =0 f0",
                 NULL);
  assert_import (fix, "line_item",
                 "orderID,Product,Quantity,Price,Discount\n1,GTX Pro,2.5,3,10 %\n", "c1 u0 =0 f0",
                 "locale:en", NULL);
}

static void
test_nothing_changes (Fix *fix, gconstpointer data)
{
  static const char *const objects[] = { "user",    "team",     "pipeline", "pipeline_stage",
                                         "product", "account",  "contact",  "opportunity",
                                         "order",   "line_item" };
  static const char *const locales[] = { "en", "de", "zh_CN" };

  fill (fix);
  for (guint i = 0; i < G_N_ELEMENTS (objects); i++)
    for (guint k = 0; k < G_N_ELEMENTS (locales); k++)
      {
        back_again (fix, objects[i], FALSE, locales[k]);
        back_again (fix, objects[i], TRUE, locales[k]);
      }
}

static void
test_form (Fix *fix, gconstpointer data)
{
  g_autofree char *text = NULL;
  g_autofree char *chinese = NULL;

  fill (fix);
  text = export_text (fix, "opportunity", "name,account,stage,amount", FALSE, "en");
  g_assert_true (
    g_str_has_prefix (text, "\xef\xbb\xbfKontor ID,name,account,stage,amount,amount.currency\r\n"));
  g_assert_nonnull (strstr (text, ",\"Big, \"\"deal\"\"\",Tail,Won,1000.01,EUR\r\n"));
  g_assert_nonnull (strstr (text, ",'+small,,Won,,\r\n"));
  chinese = export_text (fix, "account", "name,type,billing_address", TRUE, "zh_CN");
  g_assert_nonnull (strstr (chinese, "Kontor ID,公司名称,"));
  g_assert_nonnull (strstr (chinese, "街道"));
  g_assert_null (strstr (chinese, ",customer"));
}

static void
test_formulas_are_guarded (Fix *fix, gconstpointer data)
{
  g_autofree char *text = NULL;

  fill (fix);
  text = export_text (fix, "account", "name,legal_name,phone", FALSE, "en");
  g_assert_nonnull (strstr (text, ",Acme,'=1+1,'+49 30 1\r\n"));
  g_assert_nonnull (strstr (text, ",Acme,'=1,-5\r\n"));
  g_assert_nonnull (strstr (text, ",Tail,'t,\"NULL\"\r\n"));
  g_assert_nonnull (strstr (text, ",Son,\"NULL\",'@x\r\n"));
}

static void
test_ambiguous_names_go_by_id (Fix *fix, gconstpointer data)
{
  g_autofree char *text = NULL;

  assert_import (fix, "account", "Name,External ID\nAcme,1\nAcme,2\nBeta,3\n", "c3 u0 =0 f0", NULL);
  assert_import (fix, "opportunity", "Name,Account\nx,2\ny,3\n", "c2 u0 =0 f0", NULL);
  text = export_text (fix, "opportunity", "name,account", FALSE, "en");
  g_assert_nonnull (strstr (text, ",y,Beta\r\n"));
  g_assert_null (strstr (text, ",x,Acme"));
  back_again (fix, "opportunity", FALSE, "en");
}

static void
test_whole_or_not_at_all (Fix *fix, gconstpointer data)
{
  g_autofree char *path = g_build_filename (fix->dir, "export.csv", NULL);
  g_autofree char *text = NULL;
  g_autoptr (KtQuery) query = kt_query_new (fix_object (fix, "account"));
  g_autoptr (GCancellable) cancellable = g_cancellable_new ();
  g_autoptr (GError) error = NULL;

  fill (fix);
  g_file_set_contents (path, "what was there", -1, NULL);
  g_cancellable_cancel (cancellable);
  g_assert_false (
    kt_export_run (fix->local, query, NULL, path, FALSE, "en", NULL, cancellable, &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_CANCELLED);
  g_file_get_contents (path, &text, NULL, NULL);
  g_assert_cmpstr (text, ==, "what was there");
  g_clear_error (&error);
  g_assert_cmpint (g_unlink (path), ==, 0);
  g_assert_false (
    kt_export_run (fix->local, query, NULL, path, FALSE, "en", NULL, cancellable, &error));
  g_assert_false (g_file_test (path, G_FILE_TEST_EXISTS));
  g_clear_error (&error);
  g_assert_false (
    kt_export_run (fix->local, query, NULL, "/proc/none/x.csv", FALSE, "en", NULL, NULL, &error));
  g_assert_error (error, KT_ERROR, KT_ERROR_NOT_FOUND);
}

#define add(path, function) \
  g_test_add ("/store/export/" path, Fix, NULL, fix_set_up_ready, function, fix_tear_down)

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  add ("nothing-changes", test_nothing_changes);
  add ("form", test_form);
  add ("formulas", test_formulas_are_guarded);
  add ("ambiguous-names", test_ambiguous_names_go_by_id);
  add ("whole-or-not", test_whole_or_not_at_all);
  return g_test_run ();
}
