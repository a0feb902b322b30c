/* All figures of one evaluation of clips: over all, by data set and fold, by label. */
#ifndef EARSHOT_EVALUATE_CLIPREPORT_H
#define EARSHOT_EVALUATE_CLIPREPORT_H

#include "evaluate/clipscore.h"
#include "evaluate/confusion.h"
#include "evaluate/manifest.h"
#include "evaluate/reliability.h"

/* The clips of one data set, or of one fold of one. */
struct clip_group {
    const char *dataset, *fold; /* NULL: not grouped by it; "" where the manifest's field is empty */
    size_t n_own;               /* labels that `own` was measured among: those of the data set */
    struct clip_figures figures;
};

struct clipreport {
    const struct clipset *set;
    size_t n_own; /* labels that occur */
    struct clip_figures all;
    struct macro_figures macro;
    struct class_figures *classes; /* [n_labels] */
    struct confusion confusion;
    struct reliability reliability;
    struct clip_group *datasets; /* by name; none where the manifest has no such column */
    size_t n_datasets;
    struct clip_group
        *folds; /* by data set, then by fold, numbers in their order; none where there is no such column */
    size_t n_folds;
};

/* clips: [set->n], those of the set. Both must outlive the report. -1: no memory. */
int clipreport_init(struct clipreport *r, const struct clipset *set, const struct clip *clips);
void clipreport_free(struct clipreport *r);

#endif
