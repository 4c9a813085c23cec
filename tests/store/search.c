/* SPDX-License-Identifier: GPL-3.0-or-later */

#include "config.h"

#include "fixture.h"

#include <string.h>

#include "base/kt-error.h"

/* Full text, sort keys, names. */

static char *
search (Fix *fix, const char *text, const char *object)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GPtrArray) hits = kt_local_search (
    fix->local, text, object != NULL ? fix_object (fix, object) : NULL, 50, NULL, &error);
  GString *out = g_string_new (NULL);

  g_assert_no_error (error);
  for (guint i = 0; i < hits->len; i++)
    g_string_append_printf (out, "%s%s", i > 0 ? "|" : "", ((KtHit *) hits->pdata[i])->title);
  return g_string_free (out, FALSE);
}

#define assert_search(fix, text, expected)              \
  G_STMT_START                                          \
  {                                                     \
    g_autofree char *_found = search (fix, text, NULL); \
    g_assert_cmpstr (_found, ==, expected);             \
  }                                                     \
  G_STMT_END

#define assert_list(fix, object, sort, text, expected)            \
  G_STMT_START                                                    \
  {                                                               \
    g_autofree char *_found = fix_list (fix, object, sort, text); \
    g_assert_cmpstr (_found, ==, expected);                       \
  }                                                               \
  G_STMT_END

static void
test_words (Fix *fix, gconstpointer data)
{
  KtId id;

  fix_create (fix, "account", &id, "name", "Müller Maschinenbau GmbH", "description",
              "Presses and Ångström gauges", "billing_address", "{\"city\":\"Göttingen\"}", "tags",
              "Bestandskunde", NULL);
  assert_search (fix, "muller", "Müller Maschinenbau GmbH");
  assert_search (fix, "MASCHINENBAU gm", "Müller Maschinenbau GmbH");
  assert_search (fix, "angstrom", "Müller Maschinenbau GmbH");
  assert_search (fix, "götting", "Müller Maschinenbau GmbH");
  assert_search (fix, "bestandsk", "Müller Maschinenbau GmbH");
  assert_search (fix, "nothing", "");
  assert_search (fix, "\"*(-", "");
  assert_search (fix, "", "");
  /* Changed: the old words find it no longer. */
  fix_set (fix, "account", &id, "name", "Schulze");
  assert_search (fix, "muller", "");
  assert_search (fix, "schul", "Schulze");
  fix_delete (fix, "account", &id);
  assert_search (fix, "schul", "");
  assert_list (fix, "account", "name", "schul", "");
  fix_restore (fix, "account", &id);
  assert_search (fix, "schul", "Schulze");
}

static void
test_phone_and_mail (Fix *fix, gconstpointer data)
{
  fix_create (fix, "contact", NULL, "last_name", "Ray", "phone", "+49 (30) 123-456", "email",
              "ray.man@example.com", NULL);
  assert_search (fix, "4930123456", "Ray");
  assert_search (fix, "+49 30 123456", "Ray");
  assert_search (fix, "ray.man@example", "Ray");
  assert_search (fix, "ray.man@example.com", "Ray");
}

static void
test_chinese (Fix *fix, gconstpointer data)
{
  fix_create (fix, "account", NULL, "name", "北京长城科技有限公司", NULL);
  fix_create (fix, "account", NULL, "name", "上海东方贸易", NULL);
  fix_create (fix, "contact", NULL, "last_name", "张", "first_name", "三丰", NULL);
  assert_search (fix, "长城", "北京长城科技有限公司");
  assert_search (fix, "科技有限", "北京长城科技有限公司");
  assert_search (fix, "城长", "");
  assert_search (fix, "beijing", "北京长城科技有限公司");
  assert_search (fix, "shanghai", "上海东方贸易");
  assert_search (fix, "zhangsanfeng", "张三丰");
  assert_search (fix, "sanfeng", "张三丰");
  assert_search (fix, "sf", "张三丰");
  assert_search (fix, "zsf", "张三丰");
  assert_search (fix, "张三", "张三丰");
}

/* What is called so, what begins so, other titles, the rest; of each the last changed first. */
static void
test_order (Fix *fix, gconstpointer data)
{
  g_autoptr (KtRecord) a = fix_record (fix, "account", NULL, 2, "name", "Aaa", "description",
                                       "rocket", "modified_at", "2026-01-05T00:00:00Z", NULL);
  g_autoptr (KtRecord) b = fix_record (fix, "account", NULL, 2, "name", "Rocket old", "modified_at",
                                       "2026-01-01T00:00:00Z", NULL);
  g_autoptr (KtRecord) c = fix_record (fix, "account", NULL, 2, "name", "Rocket new", "modified_at",
                                       "2026-01-03T00:00:00Z", NULL);
  g_autoptr (KtRecord) d = fix_record (fix, "account", NULL, 2, "name", "Rocket", "modified_at",
                                       "2025-01-03T00:00:00Z", NULL);
  g_autoptr (KtRecord) e = fix_record (fix, "account", NULL, 2, "name", "New rocket", "modified_at",
                                       "2026-01-09T00:00:00Z", NULL);
  g_autofree char *one = NULL;

  kt_change_set_unref (
    fix_apply (fix, &(PageForm){ FALSE, FALSE, 2, "c", NULL }, a, b, c, d, e, NULL));
  assert_search (fix, "rocket", "Rocket|Rocket new|Rocket old|New rocket|Aaa");
  assert_search (fix, "ROCKET, old", "Rocket old");
  assert_search (fix, "rocket n", "Rocket new|New rocket");
  one = search (fix, "rocket", "contact");
  g_assert_cmpstr (one, ==, "");
}

/* One object with many hits does not hide the others. */
static void
test_many (Fix *fix, gconstpointer data)
{
  g_autoptr (GPtrArray) records = g_ptr_array_new_with_free_func ((GDestroyNotify) kt_record_unref);
  g_autoptr (GError) error = NULL;
  g_autofree char *found = NULL;
  g_autofree char *only = NULL;

  for (guint i = 0; i < 7000; i++)
    g_ptr_array_add (records, fix_record (fix, "contact", NULL, 2, "last_name", "Rocket",
                                          "full_name", "Rocket man", NULL));
  g_ptr_array_add (records, fix_record (fix, "account", NULL, 2, "name", "Rocketeers",
                                        "modified_at", "2026-01-01T00:00:00Z", NULL));
  g_ptr_array_add (records, fix_record (fix, "product", NULL, 2, "name", "Rocket fuel", "sku",
                                        "RF1", "modified_at", "2026-01-01T00:00:00Z", NULL));
  fix_try_apply (fix, &(PageForm){ FALSE, FALSE, 2, "c", NULL }, records, NULL, NULL, NULL, &error);
  g_assert_no_error (error);
  found = search (fix, "rocket", NULL);
  g_assert_nonnull (strstr (found, "Rocketeers"));
  g_assert_nonnull (strstr (found, "Rocket fuel"));
  only = search (fix, "rocket f", NULL);
  g_assert_cmpstr (only, ==, "Rocket fuel");
}

static void
test_snippet (Fix *fix, gconstpointer data)
{
  g_autoptr (GPtrArray) hits = NULL;
  g_autoptr (GError) error = NULL;
  KtHit *hit;

  fix_create (
    fix, "account", NULL, "name", "Acme", "type", "customer", "description",
    "It has been a long way from the first talk over lunch to the day on which the Wünschelrute was bought, and "
    "another long way from there to the day when it was used for the first time.",
    NULL);
  hits = kt_local_search (fix->local, "wunschel", NULL, 5, NULL, &error);
  g_assert_no_error (error);
  g_assert_cmpuint (hits->len, ==, 1);
  hit = hits->pdata[0];
  g_assert_cmpstr (hit->object->name, ==, "account");
  g_assert_nonnull (strstr (hit->snippet, "Wünschelrute"));
  g_assert_true (g_str_has_prefix (hit->snippet, "…"));
  g_assert_cmpint (g_utf8_strlen (hit->snippet, -1), <, 160);
  g_assert_nonnull (strstr (hit->subtitle, "Customer"));
}

/* Sorted by the locale, and anew when it changes; no value comes first. */
static void
test_collation (Fix *fix, gconstpointer data)
{
  g_autoptr (GError) error = NULL;

  fix_create (fix, "account", NULL, "name", "Zebra", NULL);
  fix_create (fix, "account", NULL, "name", "äpfel", NULL);
  fix_create (fix, "account", NULL, "name", "Apfel", NULL);
  fix_create (fix, "account", NULL, "name", "阿里", NULL);
  fix_create (fix, "account", NULL, "name", "张三", NULL);
  fix_create (fix, "account", NULL, "name", "北京", NULL);
  kt_local_set_locale (fix->local, "zh_CN", &error);
  g_assert_no_error (error);
  assert_list (fix, "account", "name", NULL, "阿里|北京|张三|Apfel|äpfel|Zebra");
  kt_local_set_locale (fix->local, "de", &error);
  g_assert_no_error (error);
  {
    g_autofree char *german = fix_list (fix, "account", "name", NULL);

    g_assert_true (g_str_has_prefix (german, "Apfel|äpfel|Zebra|"));
  }
  fix_reopen (fix);
  g_assert_cmpstr (kt_local_locale (fix->local), ==, "de");
  kt_local_set_locale (fix->local, "sv", &error);
  {
    g_autofree char *swedish = fix_list (fix, "account", "-name", NULL);

    g_assert_nonnull (strstr (swedish, "äpfel|Zebra|Apfel"));
  }
}

static void
test_sorts (Fix *fix, gconstpointer data)
{
  KtId a, b;
  g_autofree char *a_text = NULL;
  g_autofree char *b_text = NULL;

  fix_create (fix, "account", &b, "name", "Beta", "type", "customer", NULL);
  fix_create (fix, "account", &a, "name", "alpha", "type", "prospect", NULL);
  a_text = kt_id_to_string (&a);
  b_text = kt_id_to_string (&b);
  fix_create (fix, "contact", NULL, "last_name", "One", "account", b_text, "job_title",
              "Zoo keeper", NULL);
  fix_create (fix, "contact", NULL, "last_name", "Two", "account", a_text, "job_title", "Acrobat",
              NULL);
  fix_create (fix, "contact", NULL, "last_name", "Three", NULL);
  assert_list (fix, "contact", "account", NULL, "Three|Two|One");
  assert_list (fix, "contact", "-account", NULL, "One|Two|Three");
  assert_list (fix, "contact", "job_title", NULL, "Three|Two|One");
  assert_list (fix, "contact", "full_name", NULL, "One|Three|Two");
  assert_list (fix, "account", "type", NULL, "alpha|Beta");
  assert_list (fix, "account", "-type,name", NULL, "Beta|alpha");
  assert_list (fix, "contact", NULL, NULL, "Three|Two|One");
}

static void
test_find (Fix *fix, gconstpointer data)
{
  const KtObject *account = fix_object (fix, "account");
  g_autoptr (GError) error = NULL;
  g_autofree char *text = NULL;
  KtId gtx, one, two, out;

  fix_create (fix, "account", &gtx, "name", "GTX Pro", "external_id", "E-77", NULL);
  fix_create (fix, "account", &one, "name", "Twin", NULL);
  text = kt_id_to_string (&gtx);
  g_assert_true (kt_local_find (fix->local, account, text, &out, &error));
  g_assert_true (kt_local_find (fix->local, account, "E-77", &out, &error));
  g_assert_true (kt_id_equal (&out, &gtx));
  g_assert_true (kt_local_find (fix->local, account, "GTX Pro", &out, &error));
  g_assert_true (kt_local_find (fix->local, account, "gtx  pro", &out, &error));
  g_assert_true (kt_local_find (fix->local, account, "GTXPro", &out, &error));
  g_assert_true (kt_id_equal (&out, &gtx));
  g_assert_false (kt_local_find (fix->local, account, "GTX", &out, &error));
  g_assert_error (error, KT_ERROR, KT_ERROR_NOT_FOUND);
  g_clear_error (&error);
  /* The cache follows commits. */
  fix_create (fix, "account", &two, "name", "twin", NULL);
  g_assert_true (kt_local_find (fix->local, account, "Twin", &out, &error));
  g_assert_true (kt_id_equal (&out, &one));
  g_assert_false (kt_local_find (fix->local, account, "TWIN", &out, &error));
  g_assert_error (error, KT_ERROR, KT_ERROR_INVALID);
  g_assert_nonnull (strstr (error->message, "2"));
  g_clear_error (&error);
  fix_delete (fix, "account", &one);
  g_assert_true (kt_local_find (fix->local, account, "TWIN", &out, &error));
  g_assert_true (kt_id_equal (&out, &two));
  fix_set (fix, "account", &two, "name", "Renamed");
  g_assert_false (kt_local_find (fix->local, account, "Twin", &out, &error));
  g_assert_error (error, KT_ERROR, KT_ERROR_NOT_FOUND);
}

static void
test_titles (Fix *fix, gconstpointer data)
{
  g_autoptr (GPtrArray) titles = NULL;
  g_autoptr (GError) error = NULL;
  KtRefKey keys[4];

  keys[0].object = fix_object (fix, "account");
  fix_create (fix, "account", &keys[0].id, "name", "Acme", NULL);
  keys[1].object = NULL;
  fix_create (fix, "contact", &keys[1].id, "first_name", "Ada", "last_name", "L", NULL);
  keys[2].object = fix_object (fix, "contact");
  keys[2].id = keys[0].id;
  keys[3].object = NULL;
  keys[3].id = kt_id_new (&fix->env);
  titles = kt_local_titles (fix->local, keys, 4, &error);
  g_assert_no_error (error);
  g_assert_cmpstr (titles->pdata[0], ==, "Acme");
  g_assert_cmpstr (titles->pdata[1], ==, "Ada L");
  g_assert_null (titles->pdata[2]);
  g_assert_null (titles->pdata[3]);
}

static void
test_counts (Fix *fix, gconstpointer data)
{
  g_autoptr (GArray) counts = NULL;
  g_autoptr (GError) error = NULL;
  KtId id;

  fix_create (fix, "account", &id, "name", "A", NULL);
  fix_create (fix, "account", NULL, "name", "B", NULL);
  fix_delete (fix, "account", &id);
  counts = kt_local_counts (fix->local, &error);
  g_assert_no_error (error);
  g_assert_cmpint (g_array_index (counts, gint64, fix_object (fix, "account")->number), ==, 1);
  g_assert_cmpint (g_array_index (counts, gint64, fix_object (fix, "contact")->number), ==, 0);
}

static void
test_cancel (Fix *fix, gconstpointer data)
{
  g_autoptr (KtQuery) query = kt_query_new (fix_object (fix, "account"));
  g_autoptr (GCancellable) cancellable = g_cancellable_new ();
  g_autoptr (GError) error = NULL;

  g_cancellable_cancel (cancellable);
  g_assert_null (kt_local_query (fix->local, query, cancellable, &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_CANCELLED);
  g_clear_error (&error);
  g_assert_null (kt_local_search (fix->local, "x", NULL, 5, cancellable, &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_CANCELLED);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
#define ADD(path, func) g_test_add (path, Fix, NULL, fix_set_up_ready, func, fix_tear_down)
  ADD ("/search/words", test_words);
  ADD ("/search/phone-and-mail", test_phone_and_mail);
  ADD ("/search/chinese", test_chinese);
  ADD ("/search/order", test_order);
  ADD ("/search/many", test_many);
  ADD ("/search/snippet", test_snippet);
  ADD ("/search/collation", test_collation);
  ADD ("/search/sorts", test_sorts);
  ADD ("/search/find", test_find);
  ADD ("/search/titles", test_titles);
  ADD ("/search/counts", test_counts);
  ADD ("/search/cancel", test_cancel);
  return g_test_run ();
}
