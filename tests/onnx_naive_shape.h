/* The part of onnx_naive.h, which includes it, that changes shapes: reshapes, Transpose, Pad, ReduceMean, Softmax. */
#ifndef EARSHOT_TESTS_ONNX_NAIVE_SHAPE_H
#define EARSHOT_TESTS_ONNX_NAIVE_SHAPE_H

static inline void naive_reshape(struct naive *v, const Onnx__NodeProto *p)
{
    const struct nt *x = naive_get(v, p->input[0]);
    long dims[8], rank = 0, count = nt_count(x), known = 1, open = -1;
    if (strcmp(p->op_type, "Flatten") == 0) {
        long axis = naive_int(p, "axis", 1);
        axis += axis < 0 ? x->rank : 0;
        dims[0] = 1;
        for (int i = 0; i < axis; i++)
            dims[0] *= x->dims[i];
        dims[1] = count / dims[0];
        rank = 2;
    } else if (strcmp(p->op_type, "Reshape") == 0) {
        const struct nt *s = naive_get(v, p->input[1]);
        for (rank = 0; rank < s->dims[0]; rank++) {
            dims[rank] = s->x[rank] == 0 ? x->dims[rank] : (long)s->x[rank];
            open = dims[rank] == -1 ? rank : open;
            known *= dims[rank] == -1 ? 1 : dims[rank];
        }
        if (open >= 0)
            dims[open] = count / known;
    } else { /* Squeeze, Unsqueeze */
        bool un = p->op_type[0] == 'U';
        size_t n = naive_attr(p, "axes") ? naive_attr(p, "axes")->n_ints
                   : p->n_input > 1      ? (size_t)naive_get(v, p->input[1])->dims[0]
                                         : 0;
        long all = x->rank + (un ? (long)n : 0), from = 0;
        for (long i = 0; i < all; i++) {
            bool listed = n == 0 && x->dims[i] == 1;
            for (size_t k = 0; k < n; k++) {
                long a = naive_list(v, p, "axes", 1, k, 0);
                listed = listed || (a < 0 ? a + all : a) == i;
            }
            if (un)
                dims[rank++] = listed ? 1 : x->dims[from++];
            else if (!listed)
                dims[rank++] = x->dims[i];
        }
    }
    memcpy(naive_new(v, p->output[0], (int)rank, dims)->x, x->x, (size_t)count * sizeof *x->x);
}

/* Visits x element by element with its coordinates: Transpose, Pad, ReduceMean and Softmax are each one line of it. */
static inline void naive_index(const struct nt *t, long i, long *at)
{
    for (int k = t->rank - 1; k >= 0; k--) {
        at[k] = i % t->dims[k];
        i /= t->dims[k];
    }
}

static inline long naive_flat(const struct nt *t, const long *at)
{
    long i = 0;
    for (int k = 0; k < t->rank; k++)
        i = i * t->dims[k] + at[k];
    return i;
}

static inline void naive_transpose(struct naive *v, const Onnx__NodeProto *p)
{
    const struct nt *x = naive_get(v, p->input[0]);
    long dims[8], from[8], to[8], perm[8];
    for (int i = 0; i < x->rank; i++) {
        perm[i] = naive_list(v, p, "perm", -1, (size_t)i, x->rank - 1 - i);
        dims[i] = x->dims[perm[i]];
    }
    struct nt *y = naive_new(v, p->output[0], x->rank, dims);
    for (long i = 0; i < nt_count(x); i++) {
        naive_index(x, i, from);
        for (int k = 0; k < x->rank; k++)
            to[k] = from[perm[k]];
        y->x[naive_flat(y, to)] = x->x[i];
    }
}

static inline void naive_pad(struct naive *v, const Onnx__NodeProto *p)
{
    const struct nt *x = naive_get(v, p->input[0]);
    double value = p->n_input > 2 ? naive_get(v, p->input[2])->x[0] : naive_float(p, "value", 0);
    long dims[8], at[8];
    for (int i = 0; i < x->rank; i++)
        dims[i] = x->dims[i] + naive_list(v, p, "pads", 1, (size_t)i, 0) +
                  naive_list(v, p, "pads", 1, (size_t)(i + x->rank), 0);
    struct nt *y = naive_new(v, p->output[0], x->rank, dims);
    for (long i = 0; i < nt_count(y); i++)
        y->x[i] = value;
    for (long i = 0; i < nt_count(x); i++) {
        naive_index(x, i, at);
        for (int k = 0; k < x->rank; k++)
            at[k] += naive_list(v, p, "pads", 1, (size_t)k, 0);
        y->x[naive_flat(y, at)] = x->x[i];
    }
}

static inline void naive_mean(struct naive *v, const Onnx__NodeProto *p, bool global)
{
    const struct nt *x = naive_get(v, p->input[0]);
    const Onnx__AttributeProto *a = naive_attr(p, "axes");
    size_t n = a ? a->n_ints : p->n_input > 1 ? (size_t)naive_get(v, p->input[1])->dims[0] : 0;
    bool keep = global || naive_int(p, "keepdims", 1);
    long kept[8], dims[8], at[8], count = 1;
    int rank = 0;
    bool drop[8];
    for (int i = 0; i < x->rank; i++) {
        drop[i] = global ? i >= 2 : n == 0;
        for (size_t k = 0; k < n; k++) {
            long axis = naive_list(v, p, "axes", 1, k, 0);
            drop[i] = drop[i] || (axis < 0 ? axis + x->rank : axis) == i;
        }
        kept[i] = drop[i] ? 1 : x->dims[i];
        count *= drop[i] ? x->dims[i] : 1;
        if (keep || !drop[i])
            dims[rank++] = kept[i];
    }
    struct nt *y = naive_new(v, p->output[0], rank, dims), all = {.rank = x->rank};
    memcpy(all.dims, kept, sizeof kept);
    for (long i = 0; i < nt_count(x); i++) {
        naive_index(x, i, at);
        for (int k = 0; k < x->rank; k++)
            at[k] = drop[k] ? 0 : at[k];
        y->x[naive_flat(&all, at)] += x->x[i] / (double)count;
    }
}

static inline void naive_softmax(struct naive *v, const Onnx__NodeProto *p)
{
    const struct nt *x = naive_get(v, p->input[0]);
    struct nt *y = naive_new(v, p->output[0], x->rank, x->dims);
    long axis = naive_int(p, "axis", v->opset < 13 ? 1 : -1), n = 1, inner = 1;
    axis += axis < 0 ? x->rank : 0;
    for (int i = 0; i < x->rank; i++) {
        n *= i == axis || (i > axis && v->opset < 13) ? x->dims[i] : 1;
        inner *= i > axis && v->opset >= 13 ? x->dims[i] : 1;
    }
    for (long o = 0; o < nt_count(x) / (n * inner); o++)
        for (long i = 0; i < inner; i++) {
            double sum = 0;
            for (long k = 0; k < n; k++)
                sum += exp(x->x[(o * n + k) * inner + i]);
            for (long k = 0; k < n; k++)
                y->x[(o * n + k) * inner + i] = exp(x->x[(o * n + k) * inner + i]) / sum;
        }
}

#endif
