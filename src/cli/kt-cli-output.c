/* SPDX-License-Identifier: GPL-3.0-or-later */
#define G_LOG_DOMAIN "kt-cli"

#include "config.h"

#include "cli/kt-cli-private.h"

#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

/* Results go to stdout, everything else to stderr. On a terminal, control characters of the data
 * are not passed on: they could rewrite what was shown before. */

#define CELL_MOST 40

struct _KtCliTable
{
  GPtrArray *headers;
  GArray *rights; /* gboolean */
  GPtrArray *cells;
};

static gboolean
is_terminal (FILE *stream)
{
  return fileno (stream) >= 0 && isatty (fileno (stream));
}

void
kt_cli_say (KtCli *cli, const char *format, ...)
{
  g_autofree char *text = NULL;
  va_list args;

  va_start (args, format);
  text = g_strdup_vprintf (format, args);
  va_end (args);
  kt_cli_progress_end (cli);
  fprintf (cli->err, "kontorctl: %s\n", text);
}

void
kt_cli_print (KtCli *cli, const char *format, ...)
{
  va_list args;

  va_start (args, format);
  vfprintf (cli->out, format, args);
  va_end (args);
  fputc ('\n', cli->out);
}

void
kt_cli_put_json (KtCli *cli, GString *json)
{
  g_string_append_c (json, '\n');
  fwrite (json->str, 1, json->len, cli->out);
  g_string_free (json, TRUE);
}

void
kt_cli_progress (KtCli *cli, const char *format, ...)
{
  g_autofree char *text = NULL;
  va_list args;

  if (!is_terminal (cli->err))
    return;
  va_start (args, format);
  text = g_strdup_vprintf (format, args);
  va_end (args);
  fprintf (cli->err, "\r\033[K%s", text);
  fflush (cli->err);
  cli->progress_shown = TRUE;
}

void
kt_cli_progress_end (KtCli *cli)
{
  if (!cli->progress_shown)
    return;
  fputs ("\r\033[K", cli->err);
  fflush (cli->err);
  cli->progress_shown = FALSE;
}

/* ---- tables ---- */

static guint
char_width (gunichar c)
{
  if (g_unichar_iszerowidth (c))
    return 0;
  return g_unichar_iswide (c) ? 2 : 1;
}

guint
kt_cli_width (const char *text)
{
  guint width = 0;

  for (const char *at = text; *at != '\0'; at = g_utf8_next_char (at))
    width += char_width (g_utf8_get_char (at));
  return width;
}

/* One line, no longer than @most (0: as long as it likes). */
static char *
clip (const char *text, guint most)
{
  GString *out = g_string_new (NULL);
  guint width = 0;

  for (const char *at = text; *at != '\0'; at = g_utf8_next_char (at))
    {
      gunichar c = g_utf8_get_char (at);

      if (c < 0x20 || c == 0x7f || (c >= 0x80 && c < 0xa0) || c == 0x2028 || c == 0x2029)
        c = ' ';
      width += char_width (c);
      if (most != 0 && width > most - 1 && *g_utf8_next_char (at) != '\0')
        {
          g_string_append (out, "…");
          break;
        }
      g_string_append_unichar (out, c);
    }
  return g_string_free (out, FALSE);
}

KtCliTable *
kt_cli_table_new (const char *const *headers)
{
  KtCliTable *table = g_new0 (KtCliTable, 1);

  table->headers = g_ptr_array_new_with_free_func (g_free);
  table->rights = g_array_new (FALSE, FALSE, sizeof (gboolean));
  table->cells = g_ptr_array_new_with_free_func (g_free);
  for (; headers != NULL && *headers != NULL; headers++)
    kt_cli_table_column (table, *headers, FALSE);
  return table;
}

void
kt_cli_table_column (KtCliTable *table, const char *header, gboolean right)
{
  g_ptr_array_add (table->headers, g_strdup (header));
  g_array_append_val (table->rights, right);
}

void
kt_cli_table_cell (KtCliTable *table, const char *text)
{
  g_ptr_array_add (table->cells, g_strdup (text != NULL ? text : ""));
}

void
kt_cli_table_cell_take (KtCliTable *table, char *text)
{
  g_ptr_array_add (table->cells, text != NULL ? text : g_strdup (""));
}

static void
print_padded (FILE *out, const char *text, guint width, gboolean right, gboolean last)
{
  guint blanks = width - MIN (width, kt_cli_width (text));

  if (right)
    fprintf (out, "%*s%s", (int) blanks, "", text);
  else
    fprintf (out, "%s%*s", text, last ? 0 : (int) blanks, "");
  fputs (last ? "\n" : "  ", out);
}

void
kt_cli_table_print (KtCli *cli, KtCliTable *table)
{
  guint n = table->headers->len;
  g_autofree guint *widths = g_new0 (guint, n);
  guint most = is_terminal (cli->out) ? CELL_MOST : 0;

  for (guint i = 0; i < table->cells->len; i++)
    {
      char **cell = (char **) &g_ptr_array_index (table->cells, i);
      char *clipped = clip (*cell, i % n == n - 1 ? 0 : most);

      g_free (*cell);
      *cell = clipped;
      widths[i % n] = MAX (widths[i % n], kt_cli_width (clipped));
    }
  for (guint i = 0; i < n; i++)
    widths[i] = MAX (widths[i], kt_cli_width (g_ptr_array_index (table->headers, i)));

  for (guint i = 0; i < n && table->cells->len > 0; i++)
    print_padded (cli->out, g_ptr_array_index (table->headers, i), widths[i],
                  g_array_index (table->rights, gboolean, i), i == n - 1);
  for (guint i = 0; i < table->cells->len; i++)
    print_padded (cli->out, g_ptr_array_index (table->cells, i), widths[i % n],
                  g_array_index (table->rights, gboolean, i % n), i % n == n - 1);

  g_ptr_array_unref (table->headers);
  g_array_unref (table->rights);
  g_ptr_array_unref (table->cells);
  g_free (table);
}

void
kt_cli_print_pair (KtCli *cli, const char *label, guint width, const char *text)
{
  g_auto (GStrv) lines = g_strsplit (text, "\n", -1);

  for (guint i = 0; lines[i] != NULL; i++)
    {
      g_autofree char *line = clip (lines[i], 0);

      print_padded (cli->out, i == 0 ? label : "", width, FALSE, FALSE);
      fprintf (cli->out, "%s\n", line);
    }
}
