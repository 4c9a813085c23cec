/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "config.h"

#include "base/kt-decimal.h"

#include "sample.h"

static void
test_parses_the_wire_form (void)
{
  static const struct
  {
    const char *text;
    guint scale;
    gint64 mantissa;
    const char *canonical;
  } cases[] = {
    { "0", 4, 0, "0" },
    { "-0", 4, 0, "0" },
    { "-0.00", 2, 0, "0" },
    { "12.5", 4, 125000, "12.5" },
    { "12.5000000", 2, 1250, "12.5" },
    { "-12.05", 2, -1205, "-12.05" },
    { "0.0001", 4, 1, "0.0001" },
    { "-0.0001", 4, -1, "-0.0001" },
    { "007", 0, 7, "7" },
    { "100", 0, 100, "100" },
    { "100", 2, 10000, "100" },
    { "99999999999999.9999", 4, KT_DECIMAL_MAX, "99999999999999.9999" },
    { "-999999999.999999999", 9, -KT_DECIMAL_MAX, "-999999999.999999999" },
    { "999999999999999999", 0, KT_DECIMAL_MAX, "999999999999999999" },
  };

  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_autoptr (GError) error = NULL;
      gint64 mantissa = 42;
      char text[32];

      g_assert_true (kt_decimal_parse (cases[i].text, -1, cases[i].scale, &mantissa, &error));
      g_assert_no_error (error);
      g_assert_cmpint (mantissa, ==, cases[i].mantissa);
      kt_decimal_format (mantissa, cases[i].scale, text, sizeof text);
      g_assert_cmpstr (text, ==, cases[i].canonical);
    }
}

static void
test_refuses_anything_else (void)
{
  static const struct
  {
    const char *text;
    guint scale;
    int code;
  } cases[] = {
    { "", 2, KT_ERROR_INVALID },
    { "-", 2, KT_ERROR_INVALID },
    { "+1", 2, KT_ERROR_INVALID },
    { ".5", 2, KT_ERROR_INVALID },
    { "5.", 2, KT_ERROR_INVALID },
    { "1e3", 2, KT_ERROR_INVALID },
    { "1,000", 2, KT_ERROR_INVALID },
    { " 1", 2, KT_ERROR_INVALID },
    { "1.2.3", 2, KT_ERROR_INVALID },
    { "0x10", 2, KT_ERROR_INVALID },
    { "--1", 2, KT_ERROR_INVALID },
    { "１", 2, KT_ERROR_INVALID },
    { "1.005", 2, KT_ERROR_INVALID },
    { "0.1", 0, KT_ERROR_INVALID },
    { "nan", 2, KT_ERROR_INVALID },
    { "1000000000000000000", 0, KT_ERROR_LIMIT },
    { "100000000000000", 4, KT_ERROR_LIMIT },
    { "99999999999999999999999999999999999999", 0, KT_ERROR_LIMIT },
  };

  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_autoptr (GError) error = NULL;
      gint64 mantissa = 42;

      g_assert_false (kt_decimal_parse (cases[i].text, -1, cases[i].scale, &mantissa, &error));
      g_assert_error (error, KT_ERROR, cases[i].code);
      g_assert_cmpint (mantissa, ==, 42);
    }
}

static void
test_parse_stops_at_its_length (void)
{
  gint64 mantissa;

  g_assert_true (kt_decimal_parse ("12.34xyz", 5, 2, &mantissa, NULL));
  g_assert_cmpint (mantissa, ==, 1234);
  g_assert_false (kt_decimal_parse ("12.34xyz", 6, 2, &mantissa, NULL));
}

static void
test_random_numbers_survive (void)
{
  g_autoptr (GRand) rand = sample_rand_new ();

  for (int i = 0; i < 20000; i++)
    {
      guint scale = (guint) g_rand_int_range (rand, 0, KT_DECIMAL_MAX_SCALE + 1);
      gint64 mantissa =
        (gint64) (((guint64) g_rand_int (rand) << 32 | g_rand_int (rand)) % (KT_DECIMAL_MAX + 1));
      gint64 back = 0, wide;
      char text[32];

      mantissa >>= g_rand_int_range (rand, 0, 60);
      if (g_rand_boolean (rand))
        mantissa = -mantissa;
      kt_decimal_format (mantissa, scale, text, sizeof text);
      g_assert_true (kt_decimal_parse (text, -1, scale, &back, NULL));
      g_assert_cmpint (back, ==, mantissa);
      back = 0;
      g_assert_true (kt_decimal_parse_loose (text, scale, '.', &back, NULL, NULL));
      g_assert_cmpint (back, ==, mantissa);
      if (kt_decimal_rescale (mantissa, scale, 9, &wide))
        {
          g_assert_true (kt_decimal_rescale (wide, 9, scale, &back));
          g_assert_cmpint (back, ==, mantissa);
        }
    }
}

static void
test_rescale_loses_nothing (void)
{
  gint64 out = 5;

  g_assert_true (kt_decimal_rescale (1200, 2, 0, &out));
  g_assert_cmpint (out, ==, 12);
  g_assert_false (kt_decimal_rescale (1201, 2, 0, &out));
  g_assert_true (kt_decimal_rescale (-12, 0, 4, &out));
  g_assert_cmpint (out, ==, -120000);
  g_assert_false (kt_decimal_rescale (KT_DECIMAL_MAX, 0, 1, &out));
  g_assert_false (kt_decimal_rescale (-KT_DECIMAL_MAX, 0, 1, &out));
}

static void
test_reads_what_people_write (void)
{
  static const struct
  {
    const char *text;
    char point;
    const char *number;
    const char *currency;
  } cases[] = {
    { "1,234.50", 0, "1234.5", "" },
    { "1.234,50", 0, "1234.5", "" },
    { "1.234,50", '.', "1234.5", "" },
    { "1 234,50", 0, "1234.5", "" },
    { "1\xc2\xa0"
      "234,50 €",
      ',', "1234.5", "EUR" },
    { "1'234.50", 0, "1234.5", "" },
    { "1’234.50 CHF", 0, "1234.5", "CHF" },
    { "12,34,567.89", 0, "1234567.89", "" },
    { "1,234", 0, "1234", "" },
    { "1,234", '.', "1234", "" },
    { "1,234", ',', "1.234", "" },
    { "1.234", 0, "1.234", "" },
    { "1.234", ',', "1234", "" },
    { "1.234.567", 0, "1234567", "" },
    { "1,234,567", ',', "1234567", "" },
    { "12,5", 0, "12.5", "" },
    { "12,5", '.', "12.5", "" },
    { "12.5", ',', "12.5", "" },
    { "0,125", 0, "0.125", "" },
    { "1234,567", 0, "1234.567", "" },
    { ".5", 0, "0.5", "" },
    { "5.", 0, "5", "" },
    { "+5", 0, "5", "" },
    { "€ 12", 0, "12", "EUR" },
    { "€12", 0, "12", "EUR" },
    { "-€12.50", 0, "-12.5", "EUR" },
    { "€-12.50", 0, "-12.5", "EUR" },
    { "12.50 eur", 0, "12.5", "EUR" },
    { "USD 12.50", 0, "12.5", "USD" },
    { "US$12.50", 0, "12.5", "USD" },
    { "$1,000", 0, "1000", "USD" },
    { "￥1,000.00", 0, "1000", "CNY" },
    { "1000元", 0, "1000", "CNY" },
    { "12万元", 0, "120000", "CNY" },
    { "1.5亿", 0, "150000000", "" },
    { "12 %", 0, "12", "" },
    { "12.5％", 0, "12.5", "" },
    { "(12.00)", 0, "-12", "" },
    { "($12.00)", 0, "-12", "USD" },
    { "(12.00 EUR)", 0, "-12", "EUR" },
    { "12.00-", 0, "-12", "" },
    { "−12", 0, "-12", "" },
    { "１２", 0, "12", "" },
    { "１，２３４．５０", 0, "1234.5", "" },
    { "1.2E3", 0, "1200", "" },
    { "1e-2", 0, "0.01", "" },
    { "1E+06", 0, "1000000", "" },
    { "  7  ", 0, "7", "" },
    { "0", 0, "0", "" },
    { "000012", 0, "12", "" },
  };

  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_autoptr (GError) error = NULL;
      char currency[4] = "???", text[32];
      gint64 mantissa;

      if (!kt_decimal_parse_loose (cases[i].text, 4, cases[i].point, &mantissa, currency, &error))
        g_error ("%s: %s", cases[i].text, error->message);
      kt_decimal_format (mantissa, 4, text, sizeof text);
      g_test_message ("%s", cases[i].text);
      g_assert_cmpstr (text, ==, cases[i].number);
      g_assert_cmpstr (currency, ==, cases[i].currency);
    }
}

static void
test_never_guesses (void)
{
  static const char *const bad[] = { "",
                                     "abc",
                                     "€",
                                     "12 abc",
                                     "1,2,3",
                                     "1.2.3",
                                     "1,23,4",
                                     "12 34x",
                                     "--5",
                                     "(5",
                                     "5)",
                                     "1e",
                                     "1e5000",
                                     "0.00001",
                                     "EUR",
                                     "12EURUSD",
                                     "1,234,56",
                                     "%",
                                     "1234567890123456789",
                                     "1.2.3,4",
                                     "1,2.3.4",
                                     "-",
                                     ".",
                                     ",",
                                     "12/31",
                                     "2026-01-31",
                                     "0x1F",
                                     "1e-5" };

  for (guint i = 0; i < G_N_ELEMENTS (bad); i++)
    {
      g_autoptr (GError) error = NULL;
      gint64 mantissa = 42;

      if (kt_decimal_parse_loose (bad[i], 4, 0, &mantissa, NULL, &error))
        g_error ("%s was read as %" G_GINT64_FORMAT, bad[i], mantissa);
      g_assert_cmpint (error->domain, ==, KT_ERROR);
      g_assert_cmpint (mantissa, ==, 42);
    }
}

static void
test_survives_noise (void)
{
  static const char alphabet[] = "0123456789.,-+() eE%$'\xe2\x82\xac\xc2\xa5\xe4\xb8\x87XEUR";
  g_autoptr (GRand) rand = sample_rand_new ();

  for (int i = 0; i < 50000; i++)
    {
      char text[24];
      guint n = (guint) g_rand_int_range (rand, 0, sizeof text);
      g_autofree char *valid = NULL;
      gint64 mantissa;

      for (guint j = 0; j < n; j++)
        text[j] = alphabet[g_rand_int_range (rand, 0, sizeof alphabet - 1)];
      text[MIN (n, sizeof text - 1)] = '\0';
      valid = g_utf8_make_valid (text, -1);
      if (kt_decimal_parse_loose (valid, 4, 0, &mantissa, NULL, NULL))
        g_assert_cmpint (ABS (mantissa), <=, KT_DECIMAL_MAX);
    }
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/decimal/parses-the-wire-form", test_parses_the_wire_form);
  g_test_add_func ("/decimal/refuses-anything-else", test_refuses_anything_else);
  g_test_add_func ("/decimal/parse-stops-at-its-length", test_parse_stops_at_its_length);
  g_test_add_func ("/decimal/random-numbers-survive", test_random_numbers_survive);
  g_test_add_func ("/decimal/rescale-loses-nothing", test_rescale_loses_nothing);
  g_test_add_func ("/decimal/reads-what-people-write", test_reads_what_people_write);
  g_test_add_func ("/decimal/never-guesses", test_never_guesses);
  g_test_add_func ("/decimal/survives-noise", test_survives_noise);
  return g_test_run ();
}
