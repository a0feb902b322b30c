/* A model of two classes that a test can predict: `low_tone` (400 Hz) and `high_tone` (4 kHz), besides `background`, which is
 * never sure. Mean log-mel of eight bands -> Gemm -> Sigmoid. A tone of amplitude 0.3 that fills a window scores above 0.9, one in
 * less than a quarter of it, and noise below -60 dBFS, below 0.1. */
#ifndef EARSHOT_TINY_MODEL_H
#define EARSHOT_TINY_MODEL_H

#include "onnx.pb-c.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { TINY_BANDS = 8, TINY_LABELS = 3, TINY_RATE = 16000 };

/* Writes the model into a new file, with other names of its three labels, a line each; path: at least 64 bytes. 0, or -1. */
static int tiny_model_write_labels(char *path, size_t size, const char *window_s, const char *labels)
{
    const char *const metadata[][2] = {
        {"earshot.feature", "logmel"},
        {"earshot.feature.sample_rate", "16000"},
        {"earshot.feature.sample_scale", "1"},
        {"earshot.feature.frames", "0"},
        {"earshot.feature.pooling", "mean"},
        {"earshot.feature.layout", "frames_bands"},
        {"earshot.feature.window", "400"},
        {"earshot.feature.window_symmetry", "periodic"},
        {"earshot.feature.window_place", "start"},
        {"earshot.feature.hop", "160"},
        {"earshot.feature.fft_size", "512"},
        {"earshot.feature.centre", "false"},
        {"earshot.feature.pad_mode", "constant"},
        {"earshot.feature.spectrum", "magnitude"},
        {"earshot.feature.mel_bands", "8"},
        {"earshot.feature.fmin", "125"},
        {"earshot.feature.fmax", "7500"},
        {"earshot.feature.mel_scale", "htk"},
        {"earshot.feature.mel_triangles", "hz"},
        {"earshot.feature.mel_norm", "none"},
        {"earshot.feature.skip_dc", "true"},
        {"earshot.feature.skip_nyquist", "false"},
        {"earshot.feature.pre_emphasis", "0"},
        {"earshot.feature.log", "ln"},
        {"earshot.feature.log_offset", "0.001"},
        {"earshot.feature.log_amin", "0"},
        {"earshot.feature.top_db", "0"},
        {"earshot.feature.scale", "1"},
        {"earshot.feature.shift", "0"},
        {"earshot.labels", labels},
        {"earshot.activation", "none"},
        {"earshot.thresholds", "0.5\n0.5\n0.5"},
        {"earshot.window_s", NULL},
    };
    enum { N_METADATA = sizeof metadata / sizeof *metadata };
    /* 400 Hz lies in band 1 (centre 382 Hz), 4 kHz in band 6 (centre 4.1 kHz). ln of the band: -6.9 for silence, -2 for
     * noise, 3.8 for the tone. */
    float weight[TINY_BANDS * TINY_LABELS] = {0}, bias[TINY_LABELS] = {0, 0, -6};
    weight[1 * TINY_LABELS + 0] = 1.5f;
    weight[6 * TINY_LABELS + 1] = 1.5f;

    Onnx__StringStringEntryProto entry[N_METADATA], *entries[N_METADATA];
    for (size_t i = 0; i < N_METADATA; i++) {
        onnx__string_string_entry_proto__init(&entry[i]);
        entry[i].key = (char *)metadata[i][0];
        entry[i].value = (char *)(metadata[i][1] ? metadata[i][1] : window_s);
        entries[i] = &entry[i];
    }

    Onnx__TensorProto w = ONNX__TENSOR_PROTO__INIT, b = ONNX__TENSOR_PROTO__INIT, *tensors[] = {&w, &b};
    int64_t w_dims[] = {TINY_BANDS, TINY_LABELS}, b_dims[] = {TINY_LABELS};
    w.name = "w";
    w.n_dims = 2;
    w.dims = w_dims;
    w.n_float_data = TINY_BANDS * TINY_LABELS;
    w.float_data = weight;
    b.name = "b";
    b.n_dims = 1;
    b.dims = b_dims;
    b.n_float_data = TINY_LABELS;
    b.float_data = bias;
    w.has_data_type = b.has_data_type = 1;
    w.data_type = b.data_type = ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT;

    Onnx__NodeProto gemm = ONNX__NODE_PROTO__INIT, sigmoid = ONNX__NODE_PROTO__INIT, *nodes[] = {&gemm, &sigmoid};
    char *gemm_in[] = {"x", "w", "b"}, *gemm_out[] = {"z"}, *sigmoid_in[] = {"z"}, *sigmoid_out[] = {"scores"};
    gemm.op_type = "Gemm";
    gemm.name = "gemm";
    gemm.n_input = 3;
    gemm.input = gemm_in;
    gemm.n_output = 1;
    gemm.output = gemm_out;
    sigmoid.op_type = "Sigmoid";
    sigmoid.name = "sigmoid";
    sigmoid.n_input = 1;
    sigmoid.input = sigmoid_in;
    sigmoid.n_output = 1;
    sigmoid.output = sigmoid_out;

    int sizes[2][2] = {{1, TINY_BANDS}, {1, TINY_LABELS}};
    Onnx__TensorShapeProto__Dimension dim[2][2], *dims[2][2];
    Onnx__TensorShapeProto shape[2];
    Onnx__TypeProto__Tensor tensor_type[2];
    Onnx__TypeProto type[2];
    Onnx__ValueInfoProto value[2], *in[] = {&value[0]}, *out[] = {&value[1]};
    for (int i = 0; i < 2; i++) {
        onnx__tensor_shape_proto__init(&shape[i]);
        for (int k = 0; k < 2; k++) {
            onnx__tensor_shape_proto__dimension__init(&dim[i][k]);
            dim[i][k].value_case = ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE_DIM_VALUE;
            dim[i][k].dim_value = sizes[i][k];
            dims[i][k] = &dim[i][k];
        }
        shape[i].n_dim = 2;
        shape[i].dim = dims[i];
        onnx__type_proto__tensor__init(&tensor_type[i]);
        tensor_type[i].has_elem_type = 1;
        tensor_type[i].elem_type = ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT;
        tensor_type[i].shape = &shape[i];
        onnx__type_proto__init(&type[i]);
        type[i].value_case = ONNX__TYPE_PROTO__VALUE_TENSOR_TYPE;
        type[i].tensor_type = &tensor_type[i];
        onnx__value_info_proto__init(&value[i]);
        value[i].name = i ? "scores" : "x";
        value[i].type = &type[i];
    }

    Onnx__GraphProto graph = ONNX__GRAPH_PROTO__INIT;
    graph.name = "tiny";
    graph.n_node = 2;
    graph.node = nodes;
    graph.n_initializer = 2;
    graph.initializer = tensors;
    graph.n_input = graph.n_output = 1;
    graph.input = in;
    graph.output = out;

    Onnx__OperatorSetIdProto opset = ONNX__OPERATOR_SET_ID_PROTO__INIT, *opsets[] = {&opset};
    opset.has_version = 1;
    opset.version = 13;
    opset.domain = "";
    Onnx__ModelProto model = ONNX__MODEL_PROTO__INIT;
    model.has_ir_version = 1;
    model.ir_version = 7;
    model.graph = &graph;
    model.n_opset_import = 1;
    model.opset_import = opsets;
    model.n_metadata_props = N_METADATA;
    model.metadata_props = entries;

    snprintf(path, size, "%s", "/tmp/earshot-tiny-XXXXXX.onnx");
    int fd = mkstemps(path, 5);
    size_t bytes = onnx__model_proto__get_packed_size(&model);
    uint8_t *packed = malloc(bytes);
    int rc = -1;
    if (fd >= 0 && packed) {
        onnx__model_proto__pack(&model, packed);
        rc = write(fd, packed, bytes) == (ssize_t)bytes ? 0 : -1;
    }
    if (fd >= 0)
        close(fd);
    free(packed);
    return rc;
}

static inline int tiny_model_write(char *path, size_t size, const char *window_s)
{
    return tiny_model_write_labels(path, size, window_s, "low_tone\nhigh_tone\nbackground");
}

/* Adds a tone to x. */
static inline void tiny_tone(float *x, unsigned rate, double from_s, double to_s, double hz, double amplitude)
{
    for (size_t i = (size_t)(from_s * rate); i < (size_t)(to_s * rate); i++)
        x[i] += (float)(amplitude * sin(2 * M_PI * hz * (double)i / rate));
}

#endif
