#include "model/recogniser.h"
#include "model/relabel.h"
#include "model/vocabulary.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "tiny_model.h"

#define HEAD "slug,name,group,audioset,datasets,heard\n"
#define ROW  "dog_bark,Dog bark,animal,Dog;Bark,esc50:dog;us8k:dog_bark,recordings\n"

static char folder[] = "/tmp/earshot-vocabulary-XXXXXX";
static char csv[64], tiny[64];

static int make_folder(void **state)
{
    (void)state;
    if (!mkdtemp(folder))
        return -1;
    snprintf(csv, sizeof csv, "%s/labels.csv", folder);
    return tiny_model_write(tiny, sizeof tiny, "1");
}

static int remove_folder(void **state)
{
    (void)state;
    unlink(csv);
    unlink(tiny);
    return rmdir(folder);
}

static void write_csv(const char *text)
{
    FILE *f = fopen(csv, "w");

    assert_non_null(f);
    fputs(text, f);
    assert_int_equal(fclose(f), 0);
}

static struct vocabulary *load(const char *path)
{
    struct err err;
    struct vocabulary *v = vocabulary_load(path, &err);

    if (!v)
        fail_msg("%s", err.text);
    return v;
}

static void test_slugify(void **state)
{
    (void)state;
    static const char *const rows[][2] = {
        {"Baby cry, infant cry", "baby_cry_infant_cry"},
        {"Boat, Water vehicle", "boat_water_vehicle"},
        {"Dental drill, dentist's drill", "dental_drill_dentist_s_drill"},
        {"Police car (siren)", "police_car_siren"},
        {"  water-flowing ", "water_flowing"},
        {"\xc3\xa9ole", "ole"},
        {"(?)", ""},
        {"01234567890123456789012345678901234567890123456789", "01234567890123456789012345678901234567890123456"},
        {"0123456789012345678901234567890123456789012345 789", "0123456789012345678901234567890123456789012345"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char out[LABEL_SIZE];
        vocabulary_slugify(rows[i][0], out);
        assert_string_equal(out, rows[i][1]);
    }
}

static void test_row(void **state)
{
    (void)state;
    write_csv("\xef\xbb\xbfnote,heard,slug,name,group,audioset,datasets\r\n\r\n"
              "x,no,scream,\"Scream, \"\"loud\"\"\",human,\"Screaming ; Police car (siren)\",\r\n"
              "y,synthesised,kettle,Kettle,household,,kitchen20:Boiling-Water\r\n");
    struct vocabulary *v = load(csv);
    const struct sound *s = vocabulary_sound(v, 0);

    assert_int_equal(vocabulary_count(v), 2);
    assert_string_equal(s->slug, "scream");
    assert_string_equal(s->name, "Scream, \"loud\"");
    assert_int_equal(s->group, GROUP_HUMAN);
    assert_int_equal(s->heard, HEARD_NO);
    assert_int_equal(s->n_audioset, 2);
    assert_string_equal(s->audioset[0], "Screaming");
    assert_string_equal(s->audioset[1], "Police car (siren)");
    assert_int_equal(s->n_datasets, 0);
    assert_ptr_equal(vocabulary_label(v, "police_car_siren"), s);
    assert_ptr_equal(vocabulary_label(v, "scream"), s);
    assert_null(vocabulary_label(v, "Screaming"));
    assert_null(vocabulary_slug(v, "screaming"));
    assert_ptr_equal(vocabulary_dataset(v, "Kitchen20", "boiling water"), vocabulary_sound(v, 1));
    assert_null(vocabulary_dataset(v, "kitchen20", "kettle")); /* a set that is named uses its own names */
    assert_ptr_equal(vocabulary_dataset(v, "mine", "Kettle"), vocabulary_sound(v, 1));
    assert_null(vocabulary_dataset(v, "mine", "boiling-water"));
    assert_null(vocabulary_dataset(v, "", "kettle"));
    assert_null(vocabulary_dataset(v, "mine", "?"));
    vocabulary_free(v);
}

static void test_bad_lines(void **state)
{
    (void)state;
    static const struct {
        const char *text, *says;
    } rows[] = {
        {"", "is empty"},
        {HEAD, "lists no sound"},
        {"slug,name,group,audioset,heard\n" ROW, ":1: no column 'datasets'; needed are slug, name"},
        {HEAD "dog,Dog,animal,,\n", ":2: 5 fields, the header has 6"},
        {HEAD ROW "dog,Dog,animal,,,no,\n", ":3: 7 fields, the header has 6"},
        {HEAD "\n\nDog,Dog,animal,,,no\n", ":4: slug 'Dog': 1 to 47 of a-z, 0-9 and _"},
        {HEAD ",Dog,animal,,,no\n", ":2: slug ''"},
        {HEAD "dog,,animal,,,no\n", ":2: name: 1 to 100 bytes"},
        {HEAD "dog,\"D\xff\",animal,,,no\n", ":2: name is no UTF-8"},
        {HEAD "dog,\"D\nog\",animal,,,no\n", ":2: name holds a control character"},
        {HEAD "\"d\nog\",Dog,animal,,,no\n", ":2: slug holds a control character"},
        {HEAD "dog,Dog,animal,\"D\rg\",,no\n", ":2: audioset holds a control character"},
        {HEAD "dog,Dog,pet,,,no\n", ":2: group 'pet': allowed are alarm, animal, human, household, vehicle, nature"},
        {HEAD "dog,Dog,animal,,,yes\n", ":2: heard 'yes': allowed are recordings, synthesised, no"},
        {HEAD ROW "dog_bark,Dog,animal,,,no\n", ":3: slug 'dog_bark' stands in line 2 already"},
        {HEAD ROW "yap,Yap,animal,bark,,no\n", ":3: AudioSet class 'bark' stands in line 2 already"},
        {HEAD "yap,Yap,animal,Yap;Yap,,no\n", ":2: AudioSet class 'Yap' stands in line 2 already"},
        {HEAD ROW "yap,Yap,animal,,ESC50:Dog,no\n", ":3: label 'ESC50:Dog' stands in line 2 already"},
        {HEAD "yap,Yap,animal,Yap;;Yip,,no\n", ":2: audioset holds an empty entry"},
        {HEAD "yap,Yap,animal,Yap;,,no\n", ":2: audioset holds an empty entry"},
        {HEAD "yap,Yap,animal,?,,no\n", ":2: audioset '?' is no name"},
        {HEAD "yap,Yap,animal,,esc50,no\n", ":2: datasets 'esc50': set:label is needed"},
        {HEAD "yap,Yap,animal,,:dog,no\n", ":2: datasets ':dog': set:label is needed"},
        {HEAD "yap,Yap,animal,,esc50:,no\n", ":2: datasets 'esc50:': set:label is needed"},
        {HEAD ROW "yap,Yap,animal,Dog bark,,no\n", ":3: AudioSet class 'dog_bark' has the name of another sound"},
        {HEAD "yap,Yap,animal,\"Yap,,no\n", ":2: a quote"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct err err = {""};
        write_csv(rows[i].text);
        struct vocabulary *v = vocabulary_load(csv, &err);
        if (v || strncmp(err.text, csv, strlen(csv)) != 0 || !strstr(err.text, rows[i].says))
            fail_msg("\"%s\": %s \"%s\"", rows[i].text, v ? "accepted" : "refused", err.text);
    }
    assert_null(vocabulary_load("/nowhere/labels.csv", NULL));
}

/* Any cut of the shipped file is accepted or refused, and never read beyond. */
static void test_cuts(void **state)
{
    (void)state;
    FILE *f = fopen("models/labels.csv", "r");
    char text[20000];
    size_t n;

    assert_non_null(f);
    n = fread(text, 1, sizeof text - 1, f);
    fclose(f);
    for (size_t cut = 0; cut < n; cut += 7) {
        char kept = text[cut];
        text[cut] = '\0';
        write_csv(text);
        text[cut] = kept;
        vocabulary_free(vocabulary_load(csv, NULL));
    }
}

/* What the shipped list promises. */
static void test_shipped(void **state)
{
    (void)state;
    static const char *const alarms[] = {"smoke_alarm", "co_alarm",    "clock_alarm",     "siren",    "glass_breaking",
                                         "gun_shot",    "crying_baby", "door_wood_knock", "door_bell"};
    static const char *const datasets[][3] = {
        {"esc50", "dog", "dog_bark"},
        {"us8k", "dog_bark", "dog_bark"},
        {"esc50", "engine", "engine_idling"},
        {"us8k", "street_music", "street_music"},
        {"kitchen20", "water-flowing", "running_water"},
        {"sms_tools", "piano", "music"},
    };
    struct vocabulary *v = load("models/labels.csv");
    struct err err;
    struct model *m = model_load("models/earshot-s.onnx", &err);
    size_t in_group = 0;

    for (size_t i = 0; i < vocabulary_count(v); i++)
        in_group += vocabulary_sound(v, i)->group == GROUP_ALARM;
    assert_int_equal(in_group, sizeof alarms / sizeof *alarms);
    for (size_t i = 0; i < in_group; i++)
        assert_int_equal(vocabulary_slug(v, alarms[i])->group, GROUP_ALARM);
    for (size_t i = 0; i < sizeof datasets / sizeof *datasets; i++)
        assert_string_equal(vocabulary_dataset(v, datasets[i][0], datasets[i][1])->slug, datasets[i][2]);
    assert_null(vocabulary_dataset(v, "glass", "background")); /* it holds many a sound */
    assert_non_null(m);
    for (size_t i = 0; i < model_info(m)->n_labels; i++) { /* the default model speaks no other language */
        const struct sound *s = vocabulary_label(v, model_info(m)->labels[i]);
        assert_non_null(s);
        assert_string_equal(s->slug, model_info(m)->labels[i]);
        assert_int_not_equal(s->heard, HEARD_NO);
    }
    model_free(m);
    vocabulary_free(v);
}

static void test_relabel(void **state)
{
    (void)state;
    static const char *const labels[] = {"bark", "rain", "dog", "raindrop", "speech", "dog_bark"};
    static const float thresholds[] = {0.5f, 0.7f, 0.3f, 0.9f, 0.1f, 0.4f};
    static const float from[] = {0.2f, 0.1f, 0.6f, 0.8f, 1, 0.5f};
    struct relabel r;
    struct err err;
    float to[3] = {-1, -1, -1};

    write_csv(HEAD "wind,Wind,nature,Wind,,no\nrain,Rain,nature,Rain;Raindrop,,no\n" ROW);
    struct vocabulary *v = load(csv);
    assert_int_equal(relabel_init(&r, labels, thresholds, 6, v, &err), 0);
    vocabulary_free(v); /* nothing of it is needed any more */
    assert_int_equal(r.n, 2);
    assert_string_equal(r.label[0], "rain"); /* the list's order; no label means wind */
    assert_string_equal(r.label[1], "dog_bark");
    assert_true(r.threshold[0] == 0.7f && r.threshold[1] == 0.3f);
    assert_true(r.to[4] == RELABEL_DROPPED && r.to[5] == 1);
    relabel_do(&r, from, to);
    assert_true(to[0] == 0.8f && to[1] == 0.6f && to[2] == -1);
    relabel_free(&r);

    v = load(csv);
    assert_int_equal(relabel_init(&r, labels + 4, thresholds, 1, v, &err), -1);
    assert_non_null(strstr(err.text, "none of its 1 labels"));
    relabel_free(&r);
    vocabulary_free(v);
}

/* The tiny model's two tones as one sound, through the recogniser; its `background` means nothing here. */
static void test_model(void **state)
{
    (void)state;
    static const struct decision_params usual = {.confirm = 1, .release_s = 3, .close_ratio = 0.6, .hop_s = 0.5};
    struct err err;
    float *x = calloc(TINY_RATE, sizeof *x);

    write_csv(HEAD "beep,Beep,household,Low tone;High tone,,no\nrain,Rain,nature,Rain,,no\n");
    setenv("EARSHOT_MODELS", folder, 1);
    struct recogniser *own = recogniser_new(tiny, VOCABULARY_OWN, &usual, &err);
    struct recogniser *ours = recogniser_new(tiny, VOCABULARY_EARSHOT, &usual, &err);
    assert_non_null(own);
    assert_non_null(ours);
    assert_int_equal(recogniser_model(ours)->n_labels, 1);
    assert_string_equal(recogniser_model(ours)->labels[0], "beep");
    assert_true(recogniser_model(ours)->thresholds[0] == 0.5f);
    for (int high = 0; high < 2; high++) {
        memset(x, 0, TINY_RATE * sizeof *x);
        tiny_tone(x, TINY_RATE, 0, 1, high ? 4000 : 400, 0.3);
        const float *scores = recogniser_scores(own, x, TINY_RATE), *mapped = recogniser_scores(ours, x, TINY_RATE);
        assert_true(scores[high] > 0.9f && scores[!high] < 0.5f);
        assert_true(mapped[0] == scores[high]);
    }
    recogniser_free(own);
    recogniser_free(ours);

    write_csv(HEAD ROW);
    assert_null(recogniser_new(tiny, VOCABULARY_EARSHOT, &usual, &err));
    assert_non_null(strstr(err.text, "none of its 3 labels"));
    assert_non_null(strstr(err.text, tiny));
    write_csv("slug\n");
    assert_null(recogniser_new(tiny, VOCABULARY_EARSHOT, &usual, &err));
    assert_non_null(strstr(err.text, "labels.csv:1: no column"));
    unsetenv("EARSHOT_MODELS");
    free(x);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_slugify), cmocka_unit_test(test_row),     cmocka_unit_test(test_bad_lines),
        cmocka_unit_test(test_cuts),    cmocka_unit_test(test_shipped), cmocka_unit_test(test_relabel),
        cmocka_unit_test(test_model),
    };
    return cmocka_run_group_tests_name("vocabulary", tests, make_folder, remove_folder);
}
