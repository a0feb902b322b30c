#include "daemon/devices.h"
#include "daemon/doctor.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define DEVICES_TIMEOUT_S 3.0
#define SND_DIR           "/dev/snd"

/* Capture nodes of ALSA, /dev/snd/pcmC0D0c: how many there are, how many of them we may open. */
static bool count_nodes(int *there, int *allowed)
{
    DIR *dir = opendir(SND_DIR);
    *there = *allowed = 0;
    if (!dir)
        return false;
    for (const struct dirent *e; (e = readdir(dir));) {
        char path[sizeof SND_DIR + sizeof e->d_name];
        size_t n = strlen(e->d_name);
        if (strncmp(e->d_name, "pcmC", 4) != 0 || e->d_name[n - 1] != 'c')
            continue;
        snprintf(path, sizeof path, "%s/%s", SND_DIR, e->d_name);
        ++*there;
        *allowed += access(path, R_OK | W_OK) == 0;
    }
    closedir(dir);
    return true;
}

/* 1: something accepts connections there, 0: no socket, -1: nobody answers or we may not (errno). */
static int answers(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    if ((size_t)snprintf(address.sun_path, sizeof address.sun_path, "%s", path) >= sizeof address.sun_path)
        return 0;
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -1;
    int rc = connect(fd, (struct sockaddr *)&address, sizeof address), why = errno;
    close(fd);
    errno = why;
    return rc == 0 ? 1 : why == ENOENT || why == ENOTDIR ? 0 : -1;
}

/* Says what is wrong with one that is there but does not answer. True: it answers. */
static bool check_server(struct doctor *d, const char *name, const char *path)
{
    int rc = answers(path);
    if (rc > 0)
        doctor_say(d, DOCTOR_OK, "sound server", NULL, "%s answers at %s", name, path);
    else if (rc < 0 && errno == EACCES)
        doctor_say(d, DOCTOR_WARN, "sound server",
                   "it belongs to another user's session: run earshot in that session (systemctl --user enable --now "
                   "earshot)",
                   "%s at %s does not let us in", name, path);
    else if (rc < 0)
        doctor_say(d, DOCTOR_WARN, "sound server",
                   "start it again (systemctl --user restart pipewire pipewire-pulse, or pulseaudio --start)",
                   "%s at %s does not answer: %s", name, path, strerror(errno));
    return rc > 0;
}

static bool check_servers(struct doctor *d)
{
    const char *runtime = getenv("XDG_RUNTIME_DIR"), *pulse = getenv("PULSE_SERVER");
    char user[64], path[512];
    bool any = false;

    snprintf(user, sizeof user, "/run/user/%ld", (long)getuid());
    if (!runtime || *runtime != '/')
        runtime = user;
    if (pulse && strncmp(pulse, "unix:", 5) == 0)
        snprintf(path, sizeof path, "%s", pulse + 5);
    else
        snprintf(path, sizeof path, "%s/pulse/native", runtime);
    any |= check_server(d, "PulseAudio (or PipeWire in its place)", path);
    snprintf(path, sizeof path, "%s/pipewire-0", runtime);
    any |= check_server(d, "PipeWire", path);
    return any;
}

static void check_nodes(struct doctor *d, bool server)
{
    static const char PLUG_IN[] = "plug a microphone in; in a container or virtual machine hand it through "
                                  "(--device " SND_DIR ")";
    int there, allowed;

    if (!count_nodes(&there, &allowed))
        doctor_say(d, server ? DOCTOR_OK : DOCTOR_WARN, "sound devices", server ? NULL : PLUG_IN,
                   "no %s: this machine has no sound card%s", SND_DIR, server ? ", but a sound server" : "");
    else if (there == 0)
        doctor_say(d, server ? DOCTOR_OK : DOCTOR_WARN, "sound devices", server ? NULL : PLUG_IN,
                   "there is none in %s that records", SND_DIR);
    else if (allowed == 0)
        doctor_say(d, server ? DOCTOR_WARN : DOCTOR_FAIL, "sound devices",
                   "join the group audio (sudo usermod -aG audio USER) and log in anew",
                   "%d in %s, and we may open none of them", there, SND_DIR);
    else
        doctor_say(d, DOCTOR_OK, "sound devices", NULL, "%d in %s that record%s, %d of them open to us", there, SND_DIR,
                   there == 1 ? "s" : "", allowed);
}

static void check_microphone(struct doctor *d)
{
    const char *wanted = d->cx->config.input.device;
    struct device *list = calloc(MAX_DEVICES, sizeof *list);
    struct err err = {"no memory"};
    size_t n = 0;

    if (!list || devices_list(list, MAX_DEVICES, &n, DEVICES_TIMEOUT_S, &err) < 0) {
        doctor_say(d, DOCTOR_FAIL, "microphone",
                   "start the sound server again (systemctl --user restart pipewire pipewire-pulse, or pulseaudio -k)",
                   "%s", err.text);
    } else if (n == 0) {
        doctor_say(d, DOCTOR_FAIL, "microphone", "plug one in; `earshot run` waits for it", "there is none");
    } else {
        int at = devices_find(list, n, wanted, "");
        char names[600];
        devices_text(list, n, names, sizeof names);
        if (at < 0)
            doctor_say(d, DOCTOR_FAIL, "microphone",
                       "plug it in, or choose another one: set [input] device to a part of its name",
                       "[input] device = %s is none of: %s", wanted, names);
        else
            doctor_say(d, DOCTOR_OK, "microphone", NULL, "%s (%s, %.0f Hz, %d channel%s)", list[at].name,
                       list[at].host_api, list[at].rate, list[at].channels, list[at].channels == 1 ? "" : "s");
    }
    free(list);
}

void doctor_sound(struct doctor *d)
{
    const char *device = d->cx->config.input.device;

    if (strncmp(device, "file:", 5) == 0) {
        if (access(device + 5, R_OK) == 0)
            doctor_say(d, DOCTOR_OK, "microphone", NULL, "none: [input] device is the file %s", device + 5);
        else
            doctor_say(d, DOCTOR_FAIL, "microphone", "put it right in [input] device", "the file %s cannot be read: %s",
                       device + 5, strerror(errno));
        return;
    }
    if (strcmp(device, "-") == 0) {
        doctor_say(d, DOCTOR_OK, "microphone", NULL, "none: [input] device is standard input");
        return;
    }
    bool server = check_servers(d);
    check_nodes(d, server);
    check_microphone(d);
}
