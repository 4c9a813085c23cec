/* SPDX-License-Identifier: GPL-3.0-or-later */

#define G_LOG_DOMAIN "kontor"

#include "config.h"

#include "ui/kt-review-card.h"

#include <glib/gi18n.h>

#include "ui/kt-window.h"

struct _KtReviewCard
{
  GtkWidget parent_instance;

  /* owned */
  KtReviewItem *item;

  /* template */
  GtkWidget   *box;
  GtkLabel    *title, *explanation;
  GtkWidget   *values;
  GtkLabel    *base, *mine, *theirs, *mine_by, *theirs_by;
  GtkButton   *mine_button, *theirs_button;
  GtkMenuButton *edit_button;
  GtkPopover  *edit_popover;
  GtkEntry    *edit_entry;
};

G_DEFINE_FINAL_TYPE (KtReviewCard, kt_review_card, GTK_TYPE_WIDGET)

enum { DECIDED, N_SIGNALS };
static guint signals[N_SIGNALS];

static void
decide (KtReviewCard *self,
        const char   *take,
        const char   *text)
{
  /* Until the answer is in, the question cannot be answered twice. */
  gtk_widget_set_sensitive (GTK_WIDGET (self->mine_button), FALSE);
  gtk_widget_set_sensitive (GTK_WIDGET (self->theirs_button), FALSE);
  gtk_widget_set_sensitive (GTK_WIDGET (self->edit_button), FALSE);
  g_signal_emit (self, signals[DECIDED], 0, take, text);
}

static void
mine_clicked_cb (KtReviewCard *self)
{
  decide (self, "mine", NULL);
}

static void
theirs_clicked_cb (KtReviewCard *self)
{
  decide (self, "theirs", NULL);
}

static void
edit_applied_cb (KtReviewCard *self)
{
  g_autofree char *text = g_strdup (gtk_editable_get_text (GTK_EDITABLE (self->edit_entry)));

  gtk_popover_popdown (self->edit_popover);
  decide (self, NULL, text);
}

static void
open_clicked_cb (KtReviewCard *self)
{
  const KtObject *object = kt_review_item_get_object (self->item);

  if (object != NULL)
    kt_navigate_record (GTK_WIDGET (self), object, kt_review_item_get_id (self->item));
}

static void
kt_review_card_dispose (GObject *object)
{
  KtReviewCard *self = KT_REVIEW_CARD (object);

  g_clear_object (&self->item);
  gtk_widget_dispose_template (GTK_WIDGET (self), KT_TYPE_REVIEW_CARD);

  G_OBJECT_CLASS (kt_review_card_parent_class)->dispose (object);
}

static void
kt_review_card_class_init (KtReviewCardClass *klass)
{
  GtkWidgetClass *widget_class = GTK_WIDGET_CLASS (klass);

  G_OBJECT_CLASS (klass)->dispose = kt_review_card_dispose;
  signals[DECIDED] = g_signal_new ("decided", KT_TYPE_REVIEW_CARD, G_SIGNAL_RUN_LAST, 0, NULL, NULL, NULL, G_TYPE_NONE, 2,
                                   G_TYPE_STRING, G_TYPE_STRING);

  gtk_widget_class_set_layout_manager_type (widget_class, GTK_TYPE_BIN_LAYOUT);
  gtk_widget_class_set_template_from_resource (widget_class, "/org/kontor/Kontor/ui/kt-review-card.ui");
  gtk_widget_class_bind_template_child (widget_class, KtReviewCard, box);
  gtk_widget_class_bind_template_child (widget_class, KtReviewCard, title);
  gtk_widget_class_bind_template_child (widget_class, KtReviewCard, explanation);
  gtk_widget_class_bind_template_child (widget_class, KtReviewCard, values);
  gtk_widget_class_bind_template_child (widget_class, KtReviewCard, base);
  gtk_widget_class_bind_template_child (widget_class, KtReviewCard, mine);
  gtk_widget_class_bind_template_child (widget_class, KtReviewCard, theirs);
  gtk_widget_class_bind_template_child (widget_class, KtReviewCard, mine_by);
  gtk_widget_class_bind_template_child (widget_class, KtReviewCard, theirs_by);
  gtk_widget_class_bind_template_child (widget_class, KtReviewCard, mine_button);
  gtk_widget_class_bind_template_child (widget_class, KtReviewCard, theirs_button);
  gtk_widget_class_bind_template_child (widget_class, KtReviewCard, edit_button);
  gtk_widget_class_bind_template_child (widget_class, KtReviewCard, edit_popover);
  gtk_widget_class_bind_template_child (widget_class, KtReviewCard, edit_entry);
  gtk_widget_class_bind_template_callback (widget_class, mine_clicked_cb);
  gtk_widget_class_bind_template_callback (widget_class, theirs_clicked_cb);
  gtk_widget_class_bind_template_callback (widget_class, edit_applied_cb);
  gtk_widget_class_bind_template_callback (widget_class, open_clicked_cb);
}

static void
kt_review_card_init (KtReviewCard *self)
{
  gtk_widget_init_template (GTK_WIDGET (self));
}

/* The accessible name of a choice says which value it takes. */
static void
name_choice (GtkButton  *button,
             const char *label,
             const char *value)
{
  g_autofree char *spoken = g_strdup_printf ("%s: %s", label, value);

  gtk_button_set_label (button, label);
  gtk_accessible_update_property (GTK_ACCESSIBLE (button), GTK_ACCESSIBLE_PROPERTY_LABEL, spoken, -1);
}

GtkWidget *
kt_review_card_new (KtReviewItem *item)
{
  KtReviewCard *self = g_object_new (KT_TYPE_REVIEW_CARD, NULL);
  const char *edit_text = kt_review_item_get_edit_text (item);

  self->item = g_object_ref (item);
  gtk_label_set_text (self->title, kt_review_item_get_title (item));
  gtk_label_set_text (self->explanation, kt_review_item_get_explanation (item));
  gtk_label_set_text (self->base, kt_review_item_get_base (item));
  gtk_label_set_text (self->mine, kt_review_item_get_mine (item));
  gtk_label_set_text (self->theirs, kt_review_item_get_theirs (item));
  gtk_label_set_text (self->mine_by, kt_review_item_get_mine_by (item));
  gtk_label_set_text (self->theirs_by, kt_review_item_get_theirs_by (item));
  gtk_widget_set_visible (self->values, kt_review_item_get_field (item) != NULL);
  name_choice (self->mine_button, kt_review_item_get_mine_action (item), kt_review_item_get_mine (item));
  name_choice (self->theirs_button, kt_review_item_get_theirs_action (item), kt_review_item_get_theirs (item));
  gtk_widget_set_visible (GTK_WIDGET (self->edit_button), edit_text != NULL);
  if (edit_text != NULL)
    gtk_editable_set_text (GTK_EDITABLE (self->edit_entry), edit_text);
  return GTK_WIDGET (self);
}

KtReviewItem *
kt_review_card_get_item (KtReviewCard *self)
{
  return self->item;
}
