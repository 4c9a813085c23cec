/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "ui/kt-field-editor.h"

G_BEGIN_DECLS

GType _kt_text_editor_get_type    (void);    /* one line: text, numbers, money, dates, addresses of the net */
GType _kt_area_editor_get_type    (void);    /* several lines */
GType _kt_choice_editor_get_type  (void);
GType _kt_switch_editor_get_type  (void);
GType _kt_list_editor_get_type    (void);    /* choices, tags, many: chips */
GType _kt_link_editor_get_type    (void);    /* reference, file */
GType _kt_address_editor_get_type (void);

/* For subclasses, from build: takes the child; @main gets the name and the focus. */
void        _kt_field_editor_set_child (KtFieldEditor *self, GtkWidget *child, GtkWidget *main);
const char *_kt_field_editor_label     (KtFieldEditor *self);
/* The workspace's locale. */
const char *_kt_field_editor_locale    (KtFieldEditor *self);
/* "Email: Send" – a name for a button beside the field. */
void        _kt_field_editor_name_button (KtFieldEditor *self, GtkWidget *button, const char *what);

/* Candidates below an entry as the person types (kt-candidates.c). @chosen gets one and owns nothing. */
typedef void (*KtCandidateChosen) (const KtCandidate *candidate, gpointer data);
#define KT_TYPE_CANDIDATES (kt_candidates_get_type ())
G_DECLARE_FINAL_TYPE (KtCandidates, kt_candidates, KT, CANDIDATES, GtkPopover)
/* @entry must be the child of a widget with a layout manager; the popover becomes its sibling and dies with it. */
KtCandidates *kt_candidates_new  (KtEditor *editor, const KtField *field, GtkWidget *entry, KtCandidateChosen chosen, gpointer data);
void          kt_candidates_ask  (KtCandidates *self, const char *typed);
void          kt_candidates_stop (KtCandidates *self);

G_END_DECLS
