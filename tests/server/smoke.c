/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "fixture.h"
static void smoke (void)
{
  g_autoptr (Fixture) f = fixture_new ();
  g_autoptr (Device) a = device_new (f, "ada");
  g_autoptr (Device) b = device_new (f, "ben");
  g_autofree char *id = NULL;
  guint n = pull (a, 0);
  g_test_message ("rows %u seq %ld", n, a->seq);
  id = create (b, "contact", "\"last_name\":[null,\"Müller\"],\"first_name\":[null,\"Eva\"],\"tags\":[null,[\"vip\"]]");
  pull (a, 0); pull (b, 3);
  assert_value (a, "contact", id, "full_name", "\"Eva Müller\"");
  assert_equal (a); assert_equal (b);
}
int main (int c, char **v) { fixture_init (&c, &v); g_test_add_func ("/smoke", smoke); return g_test_run (); }
