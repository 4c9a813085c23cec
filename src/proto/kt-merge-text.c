/* SPDX-License-Identifier: GPL-3.0-or-later */

/* diff3 (Khanna, Kunal, Pierce: A formal investigation of diff3, 2007). Base is
 * matched with each side by itself; lines matched on both sides are stable and
 * cut the texts into chunks. In a chunk, a side that equals base gives way, two
 * equal sides are one; anything else is for a person.
 *
 *   mine     a  X  b  c        chunk 1: mine X, base -, theirs -   → X
 *   base     a     b  c
 *   theirs   a     b  c  Y     chunk 2: mine -, base -, theirs Y   → Y
 *
 * Bare diff3 is not idempotent: with repeated lines the second match may fall
 * elsewhere and the same line is added twice. A device that pulls its own edit
 * before it hears of its verdict merges twice, so: a side that holds the other's
 * edit already is the result, and a result that would not survive being merged
 * again goes to a person.
 */

#define G_LOG_DOMAIN "kt-proto"

#include "config.h"

#include "proto/kt-merge.h"

#include <string.h>

/* Cost of matching is bounded by (edit distance × lines); beyond it the texts
 * are taken to have nothing in common between their equal head and tail.      */
#define MAX_WORK (20 * 1000 * 1000)
#define MAX_DISTANCE 1000

typedef struct
{
  char *copy;  /* owned: the text, its newlines made NULs */
  char **text; /* owned array into it */
  int *id;     /* owned: equal lines have equal ids */
  int n;
} Lines;

static void
lines_clear (Lines *lines)
{
  g_clear_pointer (&lines->copy, g_free);
  g_clear_pointer (&lines->text, g_free);
  g_clear_pointer (&lines->id, g_free);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Lines, lines_clear)

static int
count_lines (const char *text, gsize len)
{
  int n = len > 0 ? 1 : 0;

  for (gsize i = 0; i < len; i++)
    n += text[i] == '\n';
  return n;
}

/* @known borrows the lines. The empty text has none. */
static void
lines_init (Lines *lines, const char *text, GHashTable *known)
{
  gsize len = text != NULL ? strlen (text) : 0;
  char *at, *end;

  lines->copy = g_strndup (text != NULL ? text : "", len);
  lines->n = count_lines (lines->copy, len);
  lines->text = g_new (char *, lines->n + 1);
  lines->id = g_new (int, lines->n + 1);
  at = lines->copy;
  end = at + len;
  for (int i = 0; i < lines->n; i++)
    {
      char *newline = memchr (at, '\n', (gsize) (end - at));
      gpointer id;

      if (newline != NULL)
        *newline = '\0';
      lines->text[i] = at;
      at = newline != NULL ? newline + 1 : end;

      if (!g_hash_table_lookup_extended (known, lines->text[i], NULL, &id))
        {
          id = GINT_TO_POINTER ((int) g_hash_table_size (known));
          g_hash_table_insert (known, lines->text[i], id);
        }
      lines->id[i] = GPOINTER_TO_INT (id);
    }
}

/* Myers 1986, greedy. @trace[d]: furthest x per diagonal before step d. */
static void
match_middle (const int *a, int n, const int *b, int m, int *match, int offset)
{
  g_autoptr (GPtrArray) trace = g_ptr_array_new_with_free_func (g_free);
  int limit = CLAMP (MAX_WORK / (n + m + 1), 16, MAX_DISTANCE);
  g_autofree int *space = g_new0 (int, 2 * limit + 4);
  int *v = space + limit + 1;
  gboolean found = FALSE;
  int x, y;

  for (int d = 0; d <= limit && !found; d++)
    {
      g_ptr_array_add (trace, g_memdup2 (v - d - 1, (2 * (gsize) d + 3) * sizeof *v));
      for (int k = -d; k <= d && !found; k += 2)
        {
          x = k == -d || (k != d && v[k - 1] < v[k + 1]) ? v[k + 1] : v[k - 1] + 1;
          y = x - k;
          while (x < n && y < m && a[x] == b[y])
            {
              x++;
              y++;
            }
          v[k] = x;
          found = x >= n && y >= m;
        }
    }
  if (!found)
    return;

  x = n;
  y = m;
  for (int d = (int) trace->len - 1; d >= 0; d--)
    {
      const int *old = (const int *) g_ptr_array_index (trace, d) + d + 1;
      int k = x - y;
      int from = k == -d || (k != d && old[k - 1] < old[k + 1]) ? k + 1 : k - 1;
      int from_x = d == 0 ? 0 : old[from];
      int from_y = d == 0 ? 0 : from_x - from;

      while (x > from_x && y > from_y)
        match[--x] = offset + --y;
      x = from_x;
      y = from_y;
    }
}

/* match[i]: the line of @side that line i of @base became, or -1. */
static int *
match_lines (const Lines *base, const Lines *side)
{
  int *match = g_new (int, base->n + 1);
  int n = base->n, m = side->n, head = 0;

  for (int i = 0; i < n; i++)
    match[i] = -1;
  while (head < n && head < m && base->id[head] == side->id[head])
    {
      match[head] = head;
      head++;
    }
  while (n > head && m > head && base->id[n - 1] == side->id[m - 1])
    match[--n] = --m;
  if (n > head && m > head)
    match_middle (base->id + head, n - head, side->id + head, m - head, match + head, head);
  return match;
}

static gboolean
same_lines (const Lines *a, int a_from, int a_to, const Lines *b, int b_from, int b_to)
{
  return a_to - a_from == b_to - b_from
         && memcmp (a->id + a_from, b->id + b_from, sizeof (int) * (gsize) (a_to - a_from)) == 0;
}

static void
append_lines (GString *out, const Lines *lines, int from, int to)
{
  for (int i = from; i < to; i++)
    {
      g_string_append (out, lines->text[i]);
      g_string_append_c (out, '\n');
    }
}

static gboolean
diff3 (const char *base, const char *mine, const char *theirs, char **result)
{
  g_autoptr (GHashTable) known = g_hash_table_new (g_str_hash, g_str_equal);
  g_auto (Lines) b = { 0 };
  g_auto (Lines) m = { 0 };
  g_auto (Lines) t = { 0 };
  g_autofree int *in_mine = NULL;
  g_autofree int *in_theirs = NULL;
  g_autoptr (GString) out = g_string_new (NULL);
  int at_b = 0, at_m = 0, at_t = 0;

  lines_init (&b, base, known);
  lines_init (&m, mine, known);
  lines_init (&t, theirs, known);
  in_mine = match_lines (&b, &m);
  in_theirs = match_lines (&b, &t);

  for (;;)
    {
      int stable = at_b;
      int end_m, end_t;

      while (stable < b.n && (in_mine[stable] < 0 || in_theirs[stable] < 0))
        stable++;
      end_m = stable < b.n ? in_mine[stable] : m.n;
      end_t = stable < b.n ? in_theirs[stable] : t.n;

      if (same_lines (&m, at_m, end_m, &b, at_b, stable))
        append_lines (out, &t, at_t, end_t);
      else if (same_lines (&t, at_t, end_t, &b, at_b, stable)
               || same_lines (&m, at_m, end_m, &t, at_t, end_t))
        append_lines (out, &m, at_m, end_m);
      else
        return FALSE;

      if (stable == b.n)
        break;
      append_lines (out, &b, stable, stable + 1);
      at_b = stable + 1;
      at_m = end_m + 1;
      at_t = end_t + 1;
    }

  /* The last line has no newline of its own. */
  if (out->len > 0)
    g_string_truncate (out, out->len - 1);
  *result = out->len > 0 ? g_string_free (g_steal_pointer (&out), FALSE) : NULL;
  return TRUE;
}

/* Whether @text is what somebody's version became when @edited was merged into it. */
static gboolean
holds_edit (const char *base, const char *edited, const char *text)
{
  g_autofree char *without = NULL;
  g_autofree char *again = NULL;

  return diff3 (edited, base, text, &without) && diff3 (base, edited, without, &again)
         && g_strcmp0 (again, text) == 0;
}

static gboolean
merge_once (const char *base, const char *mine, const char *theirs, char **result)
{
  gboolean theirs_holds_mine, mine_holds_theirs;

  *result = NULL;
  if (g_strcmp0 (mine, theirs) == 0 || g_strcmp0 (mine, base) == 0)
    {
      *result = g_strdup (theirs);
      return TRUE;
    }
  if (g_strcmp0 (theirs, base) == 0)
    {
      *result = g_strdup (mine);
      return TRUE;
    }
  theirs_holds_mine = holds_edit (base, mine, theirs);
  mine_holds_theirs = holds_edit (base, theirs, mine);
  if (theirs_holds_mine != mine_holds_theirs)
    {
      *result = g_strdup (theirs_holds_mine ? theirs : mine);
      return TRUE;
    }
  return diff3 (base, mine, theirs, result);
}

static gboolean
survives (const char *base, const char *side, const char *result)
{
  g_autofree char *again = NULL;

  return merge_once (base, side, result, &again) && g_strcmp0 (again, result) == 0;
}

gboolean
kt_merge_text (const char *base, const char *mine, const char *theirs, char **result)
{
  g_autofree char *merged = NULL;

  g_return_val_if_fail (result != NULL, FALSE);

  if (!merge_once (base, mine, theirs, &merged) || !survives (base, mine, merged)
      || !survives (base, theirs, merged))
    return FALSE;
  *result = g_steal_pointer (&merged);
  return TRUE;
}
