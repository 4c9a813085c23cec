/* SPDX-License-Identifier: GPL-3.0-or-later */

/* What one cell cannot tell, its column does: 3/4/2026 is a day in April when 25/4/2026 stands further down, 1.234 is
 * a little more than one when 12.5 does. One pass over the head of the file, before the first row is taken. */

#define G_LOG_DOMAIN "kt-store"

#include "config.h"

#include "store/kt-import-private.h"

#include <stdio.h>
#include <string.h>

#include "base/kt-decimal.h"

#define SURVEY_ROWS 200000
#define MAX_STAGES 200
#define DAY_FIRST "en_GB"
#define MONTH_FIRST "en_US"
#define POINT "en_GB"
#define COMMA "de_DE"

typedef enum
{
  NOTHING,
  NUMBER,
  PERCENT,
  DATE,
  STAGE
} Matter;

typedef struct
{
  Matter matter;
  guint64 one, other; /* rows that speak for the one or the other reading */
  guint64 open;       /* rows that speak for neither */
  char *sample;       /* one of those */
  double largest;     /* PERCENT: a survey, not a value that is kept */
  gboolean fraction;
  GHashTable *texts; /* STAGE */
} Column;

static void
column_clear (gpointer data)
{
  Column *column = data;

  g_free (column->sample);
  g_clear_pointer (&column->texts, g_hash_table_unref);
}

static Matter
matter_of (const KtImportTarget *target)
{
  const KtField *field = target->path.field;

  if (field == NULL || target->path.part != NULL || target->constant.text != NULL)
    return NOTHING;
  if (target->is_stage)
    return STAGE;
  switch (field->type)
    {
    case KT_FIELD_PERCENT:
      return PERCENT;
    case KT_FIELD_INTEGER:
    case KT_FIELD_DECIMAL:
    case KT_FIELD_MONEY:
      return NUMBER;
    case KT_FIELD_DATE:
    case KT_FIELD_DATE_TIME:
      return DATE;
    default:
      return NOTHING;
    }
}

static void
leave_open (Column *column, const char *text)
{
  column->open++;
  if (column->sample == NULL)
    column->sample = g_strndup (text, 40);
}

/* one: a point, other: a comma. */
static void
look_at_number (Column *column, const char *text)
{
  const char *point = strrchr (text, '.'), *comma = strrchr (text, ',');
  const char *last = point > comma ? point : comma;
  gboolean is_point = last != NULL && *last == '.';
  gsize behind;

  if (last == NULL)
    return;
  if (point != NULL && comma != NULL)
    ;
  else if (strchr (text, *last) != last)
    is_point = !is_point; /* twice: it groups */
  else
    {
      const char *start = last;

      behind = strspn (last + 1, "0123456789");
      while (start > text && g_ascii_isdigit (start[-1]))
        start--;
      if (behind == 3 && last - start >= 1 && last - start <= 3 && *start != '0')
        {
          leave_open (column, text);
          return;
        }
    }
  if (is_point)
    column->one++;
  else
    column->other++;
}

/* one: the day first, other: the month. */
static void
look_at_date (Column *column, const char *text)
{
  int a = 0, b = 0, taken = 0;

  if (sscanf (text, " %2d%*[/-]%2d%n", &a, &b, &taken) < 2 || taken == 0
      || g_ascii_isdigit (text[taken]) || (text[taken] != '/' && text[taken] != '-'))
    return;
  if (a > 12 && b <= 12)
    column->one++;
  else if (b > 12 && a <= 12)
    column->other++;
  else if (a != b)
    leave_open (column, text);
}

static void
look_at_percent (Column *column, const char *text)
{
  char currency[4];
  gint64 mantissa;

  look_at_number (column, text);
  if (strchr (text, '%') != NULL || strstr (text, "％") != NULL)
    column->largest = 100;
  else if (kt_decimal_parse_loose (text, KT_DECIMAL_MAX_SCALE, 0, &mantissa, currency, NULL))
    {
      double value = (double) ABS (mantissa) / 1e9;

      column->largest = MAX (column->largest, value);
      column->fraction = column->fraction || mantissa % G_GINT64_CONSTANT (1000000000) != 0;
    }
}

static void
look_at (Column *column, const char *text)
{
  switch (column->matter)
    {
    case NUMBER:
      look_at_number (column, text);
      break;
    case PERCENT:
      look_at_percent (column, text);
      break;
    case DATE:
      look_at_date (column, text);
      break;
    case STAGE:
      if (column->texts == NULL)
        column->texts = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
      if (g_hash_table_size (column->texts) < MAX_STAGES)
        g_hash_table_add (column->texts, g_strstrip (g_strdup (text)));
      break;
    case NOTHING:
    default:
      break;
    }
}

/* ---- decisions ---- */

static void
note (KtImportRun *run, char *text)
{
  g_ptr_array_add (run->result->notes, text);
}

static void
decide_number (KtImportRun *run, KtImportTarget *target, const Column *column, const Column *file)
{
  const Column *witness = column->one + column->other > 0 ? column : file;
  char point = run->plan->decimal_point;

  if (point == 0 && (witness->one == 0) != (witness->other == 0))
    point = witness->one > 0 ? '.' : ',';
  /* Our own exports have points. */
  for (guint i = 0; point == 0 && witness->one == 0 && i < run->targets->len; i++)
    if (g_array_index (run->targets, KtImportTarget, i).path.is_id)
      point = '.';
  if (point == 0)
    return;
  target->locale = point == '.' ? POINT : COMMA;
  if (column->open > 0 && column->one + column->other == 0)
    note (run, g_strdup_printf ("%s: %s was read with a decimal %s, as in the other columns.",
                                target->name, column->sample, point == '.' ? "point" : "comma"));
}

static void
decide_percent (KtImportRun *run, KtImportTarget *target, const Column *column)
{
  target->fraction = column->fraction && column->largest <= 1;
  if (target->fraction)
    note (run, g_strdup_printf ("%s: fractions such as 0.15 were read as 15 %%.", target->name));
}

static void
decide_date (KtImportRun *run, KtImportTarget *target, const Column *column)
{
  if ((column->one == 0) == (column->other == 0))
    return;
  target->locale = column->one > 0 ? DAY_FIRST : MONTH_FIRST;
  if (column->open > 0)
    note (run, g_strdup_printf (column->one > 0 ? "%s: the day was read first, as in %s."
                                                : "%s: the month was read first, as in %s.",
                                target->name, column->sample));
}

static gboolean
decide_stage (KtImportRun *run, KtImportTarget *target, const Column *column, GError **error)
{
  g_autofree char *title = NULL;

  if (column->texts == NULL || _kt_import_target (run, "pipeline", NULL) != NULL)
    return TRUE;
  if (!_kt_import_stages_fit (run, column->texts, &target->pipeline, &title, error))
    return FALSE;
  if (title != NULL)
    note (run, g_strdup_printf ("%s: read as stages of “%s”.", target->name, title));
  return TRUE;
}

static gboolean
decide (KtImportRun *run, GArray *columns, GError **error)
{
  Column file = { 0 };

  for (guint i = 0; i < columns->len; i++)
    {
      const Column *column = &g_array_index (columns, Column, i);

      if (column->matter == NUMBER || column->matter == PERCENT)
        {
          file.one += column->one;
          file.other += column->other;
        }
    }
  for (guint i = 0; i < columns->len; i++)
    {
      KtImportTarget *target = &g_array_index (run->targets, KtImportTarget, i);
      const Column *column = &g_array_index (columns, Column, i);

      if (column->matter == NUMBER || column->matter == PERCENT)
        decide_number (run, target, column, &file);
      if (column->matter == PERCENT)
        decide_percent (run, target, column);
      if (column->matter == DATE)
        decide_date (run, target, column);
      if (column->matter == STAGE && !decide_stage (run, target, column, error))
        return FALSE;
    }
  return TRUE;
}

gboolean
_kt_import_survey (KtImportRun *run, GError **error)
{
  g_autoptr (GArray) columns = g_array_new (FALSE, TRUE, sizeof (Column));
  g_autoptr (KtImportSource) source = NULL;
  g_autoptr (GError) failure = NULL;
  const KtCsvCell *cells;
  gboolean any = FALSE;
  guint n;
  guint64 row, rows = 0;

  g_array_set_clear_func (columns, column_clear);
  for (guint i = 0; i < run->targets->len; i++)
    {
      Column column = { .matter = matter_of (&g_array_index (run->targets, KtImportTarget, i)) };

      any = any || column.matter != NOTHING;
      g_array_append_val (columns, column);
    }
  if (!any)
    return TRUE;
  source =
    _kt_import_source_open (run->plan->path, run->plan->encoding, run->plan->separator, error);
  if (source == NULL)
    return FALSE;
  /* An error further down is met, and told, when the rows are taken. */
  while (rows++ < SURVEY_ROWS
         && (cells = _kt_import_source_next (source, &n, &row, &failure)) != NULL)
    for (guint i = 0; rows > 1 && n <= source->width && i < columns->len; i++)
      {
        Column *column = &g_array_index (columns, Column, i);
        const KtCsvCell *cell;

        if (column->matter == NOTHING)
          continue;
        cell = _kt_import_cell (run, &g_array_index (run->targets, KtImportTarget, i), cells, n);
        if (cell != NULL)
          look_at (column, _kt_import_unguard (cell->text));
      }
  return decide (run, columns, error);
}
