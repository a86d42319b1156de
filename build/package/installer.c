/* Puts cni-sriov into a node's directory of CNI plugins, from a container, and waits: a DaemonSet's pod must not end.

   installer install|remove DIRECTORY

   The image has no shell and no library, so this is one static program. It leaves what build/install leaves:
   DIRECTORY/.cni-sriov/VERSION with the bundle, `sriov` and `host-subnet` as links into it, the version before under
   `previous`, a `sriov` of somebody else as `sriov.orig`. Everything appears by rename: who calls the plugin meanwhile gets
   the old one or the new one, whole. All below the directory is reached from its descriptor, and no link is followed. */

#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define BUNDLE "/cni-sriov" /* in the image: one directory, named by its version */
#define HOME ".cni-sriov"
#define FRESH ".new"

static const char *const names[] = {"sriov", "host-subnet"};
static const char *directory;

__attribute__((noreturn, format(printf, 1, 2))) static void fail(const char *what, ...)
{
    int number = errno;
    va_list rest;

    va_start(rest, what);
    fputs("installer: ", stderr);
    vfprintf(stderr, what, rest);
    va_end(rest);
    fprintf(stderr, " (%s): %s\n", directory, strerror(number));
    exit(1);
}

static DIR *listed(int at, const char *name)
{
    int fd = openat(at, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    DIR *dir = fd < 0 ? NULL : fdopendir(fd);

    if (!dir)
        fail("read directory %s", name);
    return dir;
}

/* the next entry but for . and .. */
static const char *next_in(DIR *dir)
{
    struct dirent *entry;

    while ((entry = readdir(dir)))
        if (strcmp(entry->d_name, ".") && strcmp(entry->d_name, ".."))
            return entry->d_name;
    return NULL;
}

/* a link's target; "" where there is no link */
static const char *target_of(int at, const char *name, char target[PATH_MAX])
{
    ssize_t size = readlinkat(at, name, target, PATH_MAX - 1);

    if (size < 0 && errno != ENOENT && errno != EINVAL)
        fail("read link %s", name);
    target[size < 0 ? 0 : size] = 0;
    return target;
}

static void remove_tree(int at, const char *name)
{
    DIR *dir;
    const char *inside;

    if (!unlinkat(at, name, 0) || errno == ENOENT)
        return;
    if (errno != EISDIR && errno != EPERM)
        fail("remove %s", name);
    dir = listed(at, name);
    while ((inside = next_in(dir)))
        remove_tree(dirfd(dir), inside);
    closedir(dir);
    if (unlinkat(at, name, AT_REMOVEDIR))
        fail("remove %s", name);
}

/* read back, since a call of the plugin notices a file that was cut off, but no flipped bit */
static void copy_file(int from, int to, const char *name, mode_t mode)
{
    static char block[1 << 16], again[1 << 16];
    int in = openat(from, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    int out = openat(to, name, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    ssize_t size;
    off_t at = 0;

    if (in < 0 || out < 0)
        fail("copy %s", name);
    while ((size = read(in, block, sizeof block)) > 0) {
        for (ssize_t done = 0, part; done < size; done += part)
            if ((part = write(out, block + done, size - done)) < 0)
                fail("write %s", name);
        if (pread(out, again, size, at) != size || memcmp(block, again, size)) {
            errno = EIO;
            fail("read back %s", name);
        }
        at += size;
    }
    if (size || fchmod(out, mode & 0111 ? 0755 : 0644) || fsync(out) || close(out))
        fail("copy %s", name);
    close(in);
}

static void copy_tree(int from, int to, const char *name, const char *as)
{
    char target[PATH_MAX];
    const char *inside;
    struct stat is;
    DIR *source, *copy;

    if (mkdirat(to, as, 0755))
        fail("make directory %s", as);
    source = listed(from, name);
    copy = listed(to, as);
    if (fchmod(dirfd(copy), 0755)) /* whatever the umask */
        fail("make directory %s", as);
    while ((inside = next_in(source))) {
        if (fstatat(dirfd(source), inside, &is, AT_SYMLINK_NOFOLLOW))
            fail("look at %s", inside);
        if (S_ISDIR(is.st_mode))
            copy_tree(dirfd(source), dirfd(copy), inside, inside);
        else if (!S_ISLNK(is.st_mode))
            copy_file(dirfd(source), dirfd(copy), inside, is.st_mode);
        else if (symlinkat(target_of(dirfd(source), inside, target), dirfd(copy), inside))
            fail("link %s", inside);
    }
    closedir(source);
    closedir(copy);
}

/* by rename, so that the link is never missing */
static void swap(int at, const char *target, const char *name)
{
    char fresh[NAME_MAX];

    snprintf(fresh, sizeof fresh, "%s" FRESH, name);
    if ((unlinkat(at, fresh, 0) && errno != ENOENT) || symlinkat(target, at, fresh) || renameat(at, fresh, at, name))
        fail("link %s to %s", name, target);
}

static int is_ours(int at, const char *name)
{
    char target[PATH_MAX];

    return !strncmp(target_of(at, name, target), HOME "/", strlen(HOME "/"));
}

static int exists(int at, const char *name)
{
    return !faccessat(at, name, F_OK, AT_SYMLINK_NOFOLLOW);
}

static void original(const char *name, char path[NAME_MAX])
{
    snprintf(path, NAME_MAX, "%s.orig", name);
}

/* a hard link first: the name is never missing */
static void save_foreign(int top, const char *name)
{
    char path[NAME_MAX];

    if (!exists(top, name) || is_ours(top, name))
        return;
    original(name, path);
    if (linkat(top, name, top, path, 0) && errno != EEXIST)
        fail("save %s as %s", name, path);
    printf("saved %s/%s (it was not ours)\n", directory, path);
}

/* of the versions this one and the previous one stay; what is no directory is a link, or a note of build/install's */
static void prune(int home, const char *version)
{
    char previous[PATH_MAX];
    struct stat is;
    const char *name;
    DIR *dir = listed(home, ".");

    target_of(home, "previous", previous);
    while ((name = next_in(dir))) {
        if (*name == '.' || !strcmp(name, version) || !strcmp(name, previous)) /* a dot: build/install at work */
            continue;
        if (!fstatat(home, name, &is, AT_SYMLINK_NOFOLLOW) && S_ISDIR(is.st_mode))
            remove_tree(home, name);
    }
    closedir(dir);
}

static int home_of(int top)
{
    int home;

    if (mkdirat(top, HOME, 0755) && errno != EEXIST)
        fail("make directory " HOME);
    home = openat(top, HOME, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (home < 0 || fchmod(home, 0755) || flock(home, LOCK_EX)) /* of two installers one comes first */
        fail("open " HOME);
    return home;
}

/* version and commit, as `sriovctl --version` says them; before 0.2 nothing told more than the directory's name */
static const char *told(int home, const char *version)
{
    static char line[128];
    char path[PATH_MAX + 16];
    ssize_t size = -1;
    int note;

    snprintf(path, sizeof path, "%s/lib/version", version);
    note = openat(home, path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC); /* a FIFO has no writer */
    if (note >= 0) {
        size = read(note, line, sizeof line - 1);
        close(note);
    }
    line[size > 0 ? size : 0] = 0;
    line[strcspn(line, "\n")] = 0;
    return *line ? line : version;
}

static void install(int top, int home)
{
    char before[PATH_MAX], target[PATH_MAX], version[NAME_MAX];
    DIR *bundles = listed(AT_FDCWD, BUNDLE);
    const char *found = next_in(bundles);

    if (!found) {
        errno = ENOENT;
        fail("find a version in " BUNDLE);
    }
    snprintf(version, sizeof version, "%s", found);
    target_of(home, "current", before);
    if (!exists(home, version)) {
        remove_tree(home, FRESH);
        copy_tree(dirfd(bundles), home, version, FRESH);
        if (renameat(home, FRESH, home, version))
            fail("rename " FRESH " to %s", version);
    }
    closedir(bundles);
    if (strcmp(before, version)) {
        if (*before)
            swap(home, before, "previous");
        swap(home, version, "current");
    }
    for (size_t n = 0; n < sizeof names / sizeof *names; n++) {
        save_foreign(top, names[n]);
        snprintf(target, sizeof target, HOME "/%s/sriov", version);
        swap(top, target, names[n]);
    }
    prune(home, version);
    printf("installed cni-sriov %s: %s/sriov and %s/host-subnet, in " HOME "/%s\n", told(home, version), directory,
           directory, version);
}

static void remove_all(int top)
{
    char path[NAME_MAX], version[PATH_MAX];
    const char *what = "";
    int home = openat(top, HOME, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

    if (home >= 0) {
        what = told(home, target_of(home, "current", version));
        close(home);
    }
    for (size_t n = 0; n < sizeof names / sizeof *names; n++) {
        original(names[n], path);
        if (exists(top, names[n]) && !is_ours(top, names[n]))
            continue;
        if (exists(top, path) ? renameat(top, path, top, names[n]) : unlinkat(top, names[n], 0) && errno != ENOENT)
            fail("remove %s", names[n]);
    }
    remove_tree(top, HOME);
    printf("removed cni-sriov%s%s from %s\n", *what ? " " : "", what, directory);
}

int main(int count, char **words)
{
    int top, home, number;
    sigset_t ends;

    if (count != 3 || (strcmp(words[1], "install") && strcmp(words[1], "remove"))) {
        fputs("usage: installer install|remove DIRECTORY\n", stderr);
        return 2;
    }
    /* blocked, they wait for sigwait, also where this is process 1 */
    sigemptyset(&ends);
    sigaddset(&ends, SIGTERM);
    sigaddset(&ends, SIGINT);
    sigprocmask(SIG_BLOCK, &ends, NULL);
    directory = words[2];
    top = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (top < 0)
        fail("open the node's directory of CNI plugins, which is to be mounted here");
    if (*words[1] == 'i') {
        home = home_of(top);
        install(top, home);
        close(home);
    } else
        remove_all(top);
    fflush(stdout);
    syncfs(top);
    sigwait(&ends, &number);
    return 0;
}
