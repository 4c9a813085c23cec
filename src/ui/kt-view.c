/* SPDX-License-Identifier: GPL-3.0-or-later */

#define G_LOG_DOMAIN "kontor"

#include "config.h"

#include "ui/kt-window.h"

#include <locale.h>
#include <string.h>

G_DEFINE_INTERFACE (KtView, kt_view, GTK_TYPE_WIDGET)
G_DEFINE_INTERFACE (KtToplevel, kt_toplevel, GTK_TYPE_WIDGET)

static guint changed_signal;

static void
kt_view_default_init (KtViewInterface *iface)
{
  changed_signal = g_signal_new ("view-changed", KT_TYPE_VIEW, G_SIGNAL_RUN_LAST, 0, NULL, NULL, NULL, G_TYPE_NONE, 0);
}

static void
kt_toplevel_default_init (KtToplevelInterface *iface)
{
}

char *
kt_view_get_title (KtView *self)
{
  return KT_VIEW_GET_IFACE (self)->get_title (self);
}

char *
kt_view_get_subtitle (KtView *self)
{
  KtViewInterface *iface = KT_VIEW_GET_IFACE (self);

  return iface->get_subtitle != NULL ? iface->get_subtitle (self) : NULL;
}

GtkWidget *
kt_view_get_header_start (KtView *self)
{
  KtViewInterface *iface = KT_VIEW_GET_IFACE (self);

  return iface->get_header_start != NULL ? iface->get_header_start (self) : NULL;
}

GtkWidget *
kt_view_get_header_end (KtView *self)
{
  KtViewInterface *iface = KT_VIEW_GET_IFACE (self);

  return iface->get_header_end != NULL ? iface->get_header_end (self) : NULL;
}

gboolean
kt_view_may_leave (KtView         *self,
                   KtViewContinue  go,
                   gpointer        data,
                   GDestroyNotify  free_data)
{
  KtViewInterface *iface = KT_VIEW_GET_IFACE (self);

  return iface->may_leave == NULL || iface->may_leave (self, go, data, free_data);
}

void
kt_view_make_new (KtView *self)
{
  KtViewInterface *iface = KT_VIEW_GET_IFACE (self);

  if (iface->make_new != NULL)
    iface->make_new (self);
}

void
kt_view_focus_filter (KtView *self)
{
  KtViewInterface *iface = KT_VIEW_GET_IFACE (self);

  if (iface->focus_filter != NULL)
    iface->focus_filter (self);
}

void
kt_view_changed (KtView *self)
{
  g_signal_emit (self, changed_signal, 0);
}

/* Thousands are set apart as the locale does it; where it does not say, by a comma. */
char *
kt_count_text (gint64 count)
{
  g_autofree char *digits = g_strdup_printf ("%" G_GINT64_FORMAT, ABS (count));
  g_autoptr (GString) text = g_string_new (count < 0 ? "-" : NULL);
  const char *separator = localeconv ()->thousands_sep;
  gsize len = strlen (digits);

  if (separator == NULL || separator[0] == '\0')
    separator = ",";
  for (gsize i = 0; i < len; i++)
    {
      g_string_append_c (text, digits[i]);
      if (len - i > 1 && (len - i - 1) % 3 == 0)
        g_string_append (text, separator);
    }
  return g_string_free (g_steal_pointer (&text), FALSE);
}
