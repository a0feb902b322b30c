/* Finds the sub-command in a table and runs it. */
#include "daemon/cmd.h"
#include "daemon/cmdline.h"

static const struct command *const commands[] = {
    &cmd_run,   &cmd_classify, &cmd_devices, &cmd_levels, &cmd_calibrate, &cmd_test,
    &cmd_set,   &cmd_doctor,   &cmd_config,  &cmd_model,  &cmd_features,  &cmd_evaluate,
    &cmd_clips, &cmd_history,  &cmd_noise,   &cmd_plot,   &cmd_dataset,   &cmd_classify_upload,
    &cmd_train, &cmd_teach,    &cmd_label,   NULL,
};

int main(int argc, char **argv)
{
    return cmdline_run(commands, argc, argv);
}
