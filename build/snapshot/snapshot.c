/* `sriov`: a CPython that has started and imported everything, as a picture inside a static executable. README.md tells
 * how it is made. This file is its main(): at build time it makes the picture, at a call it goes on from there.
 */
#define _GNU_SOURCE
#define Py_BUILD_CORE
#include <Python.h>
#include <internal/pycore_import.h>
#include <internal/pycore_runtime.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "heap.h"
#include "hot.h"

#define SPARE ((size_t)256 << 10)       /* of the heap, beyond the picture's end: no file, no memory until it is used */

/* these are in the picture, as is every variable of libpython; libc's are not, so libc starts as ever */
extern char __start_pydata[], __stop_pydata[], __start_pyzero[], __stop_pyzero[];
static int is_picture;
static const char *last_byte;           /* of the file; it is not 0 */
static PyThreadState *thread;
static PyObject *entry, *set_signal, *int_handler, *environment;

/* -- making the picture -------------------------------------------------------------------------------------------- */

static _Noreturn void
give_up(const char *what)
{
    if (PyErr_Occurred()) {
        PyErr_Print();
    }
    dprintf(2, "snapshot: %s\n", what);
    _exit(1);
}

static void
must(PyStatus status)
{
    if (PyStatus_Exception(status)) {
        give_up(status.err_msg);
    }
}

/* whatever the builder's shell ignores or blocks must not be in Python's table of handlers */
static void
reset_signals(void)
{
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    for (int number = 1; number < NSIG; number++) {
        signal(number, SIG_DFL);
    }
}

static void
start_python(void)
{
    PyObjectArenaAllocator arenas = {NULL, heap_arena, heap_arena_free};
    PyObject_SetArenaAllocator(&arenas);
    PyPreConfig pre;
    PyPreConfig_InitIsolatedConfig(&pre);
    pre.utf8_mode = 1;                  /* names and paths are bytes, whatever the caller's locale */
    must(Py_PreInitialize(&pre));

    PyConfig config;
    PyConfig_InitIsolatedConfig(&config);
    config.parse_argv = config.site_import = config.write_bytecode = 0;
    config.install_signal_handlers = 1;
    config.optimization_level = 2;
    config.use_hash_seed = 1;           /* dicts and sets in the picture are laid out by these hashes */
    config.hash_seed = 0;
    config.module_search_paths_set = 1; /* none: every module is frozen */
    wchar_t **dirs[] = {&config.prefix, &config.base_prefix, &config.exec_prefix, &config.base_exec_prefix,
                        &config.executable, &config.base_executable, &config.program_name};
    for (size_t i = 0; i < sizeof dirs / sizeof *dirs; i++) {
        must(PyConfig_SetString(&config, dirs[i], L""));
    }
    must(Py_InitializeFromConfig(&config));
    PyConfig_Clear(&config);
    /* where Python's sources may lie on this machine: frozen modules would have a __file__ here, and none elsewhere */
    if (PySys_SetObject("_stdlib_dir", Py_None)) {
        give_up("_stdlib_dir");
    }
}

static PyObject *
attribute(const char *module, const char *name)
{
    PyObject *found = PyImport_ImportModule(module);
    PyObject *value = found ? PyObject_GetAttrString(found, name) : NULL;
    if (!value) {
        give_up(name);
    }
    Py_DECREF(found);
    return value;
}

/* "modules", as picture.py writes it: how long name and code are, whether it is a package, name, code; and so on. They
 * become frozen modules, which need no file. The table is in libc's memory, so not in the picture. */
struct module {
    uint32_t name_size, code_size, is_package;
};

#define MOST_OF_NAME 255
#define MOST_OF_CODE (16 << 20)

static void
read_modules(const char *path)
{
    struct _frozen *table = NULL;
    size_t count = 0;
    struct module head;
    FILE *file = fopen(path, "re");
    if (!file) {
        give_up(path);
    }
    while (fread(&head, sizeof head, 1, file) == 1) {
        if (head.name_size > MOST_OF_NAME || head.code_size > MOST_OF_CODE) {
            give_up(path);
        }
        char *name = malloc(head.name_size + 1);
        unsigned char *code = malloc(head.code_size);
        table = realloc(table, (count + 2) * sizeof *table);
        if (!name || !code || !table || fread(name, head.name_size, 1, file) != 1 ||
            fread(code, head.code_size, 1, file) != 1) {
            give_up(path);
        }
        name[head.name_size] = 0;
        table[count++] = (struct _frozen){
            .name = name, .code = code, .size = (int)head.code_size, .is_package = (int)head.is_package};
        table[count] = (struct _frozen){.name = NULL};
    }
    fclose(file);
    PyImport_FrozenModules = _PyImport_FrozenBootstrap = table;
}

/* the first of those that are left: `last`, or the end */
static const struct _frozen *
import_until(const struct _frozen *table, const char *last)
{
    for (; table && table->name && strcmp(table->name, last); table++) {
        PyObject *module = PyImport_ImportModule(table->name);
        if (!module || PyObject_SetAttrString(module, "__spec__", Py_None)) { /* nobody asks for it any more: 0.1 MB */
            give_up(table->name);
        }
        Py_DECREF(module);
    }
    return table;
}

static void
import_all(const struct _frozen *table)
{
    import_until(table, "");
    PyImport_FrozenModules = NULL;
    _PyImport_FrozenBootstrap = _PyImport_FrozenStdlib; /* it is empty */
    if (PyDict_DelItemString(PyImport_GetModuleDict(), "preload")) {
        give_up("preload.py");
    }
}

static void
find_what_a_call_needs(void)
{
    entry = attribute("cni_sriov.doors.cni", "entry");
    set_signal = attribute("_signal", "signal");
    int_handler = attribute("_signal", "default_int_handler");
    environment = attribute("posix", "environ");
    PyDict_Clear(environment);
}

static void
write_all(int fd, const void *data, size_t size)
{
    for (const char *from = data; size;) {
        ssize_t done = write(fd, from, size);
        if (done < 0) {
            give_up(strerror(errno));
        }
        from += done;
        size -= (size_t)done;
    }
}

/* as picture.py reads it: address, size, the bytes */
static void
write_part(int fd, const char *start, const char *stop)
{
    uint64_t head[2] = {(uintptr_t)start, (uint64_t)(stop - start)};
    write_all(fd, head, sizeof head);
    write_all(fd, start, (size_t)(stop - start));
}

/* Free places among what is in the picture are strewn over it, and a call that takes one copies its page: so all are
 * taken, and a call begins with pools of its own. A pool's first word is how many of its places are in use
 * (struct pool_header, Objects/obmalloc.c). */
static void
take_free_places(void)
{
    PyGC_Collect();                     /* empties lists of freed objects, too */
    for (size_t size = 16; size <= 512; size += 16) {
        char *place;
        do {
            place = PyObject_Calloc(1, size);
            if (!place) {
                give_up("PyObject_Calloc");
            }
        } while (*(uint32_t *)((uintptr_t)place & ~(HEAP_POOL - 1)) != 1);
        PyObject_Free(place);
    }
}

static int
make_picture(const char *modules, const char *hot, const char *path, const char *blocks_size)
{
    hot_place(hot, blocks_size ? strtoul(blocks_size, NULL, 10) : 0);
    reset_signals();
    read_modules(modules);
    start_python();
    import_all(PyImport_FrozenModules);
    find_what_a_call_needs();
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0) {
        give_up(path);
    }
    size_t together = hot_end();
    if (heap_overflowed()) {
        give_up("HEAP_ROOM is too small");
    }
    take_free_places();
    /* what is this process's own: addresses in libc's memory, and thread ids */
    thread = PyThreadState_Get();
    thread->thread_id = thread->native_thread_id = 0;
    _PyRuntime.main_thread = 0;
    is_picture = 1;
    PyEval_SaveThread();                /* nobody has the GIL */
    size_t blocks = heap_blocks();
    heap_close(SPARE);
    /* what is 0 at the end needs no file */
    last_byte = heap_room + heap_end() - 1;
    while (!*last_byte) {
        last_byte--;
    }
    write_part(fd, __start_pydata, __stop_pydata);
    write_part(fd, __start_pyzero, __stop_pyzero);
    write_part(fd, heap_room, last_byte + 1);
    uint64_t end[2] = {(uintptr_t)heap_room + heap_end(), 0};
    write_all(fd, end, sizeof end);
    if (close(fd)) {
        give_up(path);
    }
    dprintf(1, "%zu blocks %zu heap %zu hot\n", blocks, (size_t)(last_byte + 1 - heap_room), together);
    return 0;
}

/* -- a call -------------------------------------------------------------------------------------------------------- */

/* the one answer that Python cannot give */
static const char broken[] =
    "{\"cniVersion\": \"1.0.0\", \"code\": 999, \"msg\": \"start cni-sriov: its file is damaged, or a bug of ours\", "
    "\"details\": \"install it again; if that does not help, please report it\"}\n";

static void
say_broken(void)
{
    if (write(1, broken, sizeof broken - 1) < 0) {
        /* nobody listens */
    }
}

/* cut off within its last page, which the kernel does not notice */
static void
check_file(void)
{
    if (!*(const volatile char *)last_byte) {
        say_broken();
        _exit(1);
    }
}

/* of a file that was cut off or damaged, at least most of the time; then the signal takes its course */
static void
crashed(int number)
{
    say_broken();
    signal(number, SIG_DFL);
    raise(number);
}

static void
watch_for_crashes(void)
{
    static char stack[16384];           /* in the picture, so of no cost */
    stack_t alternate = {.ss_sp = stack, .ss_size = sizeof stack};
    struct sigaction action = {.sa_handler = crashed, .sa_flags = SA_ONSTACK | SA_NODEFER};
    sigaltstack(&alternate, NULL);
    sigaction(SIGBUS, &action, NULL);
    sigaction(SIGSEGV, &action, NULL);
    sigaction(SIGILL, &action, NULL);
    sigaction(SIGFPE, &action, NULL);
}

static void
check(int is_well)
{
    if (!is_well) {
        say_broken();
        if (PyErr_Occurred()) {
            PyErr_Print();
        }
        _exit(1);
    }
}

/* What belongs to a process, as after fork: CPython's own functions, and the key of PyGILState_Ensure, whose value they
 * look up in vain. */
static void
wake_python(void)
{
    thread->thread_id = PyThread_get_thread_ident();
    PyEval_RestoreThread(thread);
    PyOS_BeforeFork();
    PyOS_AfterFork_Child();
#if PY_VERSION_HEX >= 0x030c0000
    check(!PyThread_tss_set(&_PyRuntime.autoTSSkey, thread));
#else
    check(!PyThread_tss_set(&_PyRuntime.gilstate.autoTSSkey, thread));
#endif
}

static void
set_disposition(int number, PyObject *handler)
{
    PyObject *old = PyObject_CallFunction(set_signal, "iO", number, handler);
    check(old != NULL);
    Py_DECREF(old);
}

/* As Python does when it starts: SIGPIPE and SIGXFSZ are ignored, SIGINT raises, and its table of handlers tells what
 * else this process was born with. In the picture nothing else is ignored. */
static void
take_signals(void)
{
    PyObject *ignore = PyLong_FromVoidPtr((void *)SIG_IGN);
    check(ignore != NULL);
    PyOS_setsig(SIGPIPE, SIG_IGN);
    PyOS_setsig(SIGXFSZ, SIG_IGN);
    for (int number = 1; number < NSIG; number++) {
        PyOS_sighandler_t inherited = PyOS_getsig(number);
        if (number == SIGINT && inherited == SIG_DFL) {
            set_disposition(number, int_handler);
        }
        else if (inherited == SIG_IGN && number != SIGPIPE && number != SIGXFSZ) {
            set_disposition(number, ignore);
        }
    }
    Py_DECREF(ignore);
}

static void
take_arguments(int argc, char **argv)
{
    PyObject *list = PyList_New(argc);
    check(list != NULL);
    for (int i = 0; i < argc; i++) {
        PyObject *argument = PyUnicode_DecodeFSDefault(argv[i]);
        check(argument != NULL);
        PyList_SET_ITEM(list, i, argument);
    }
    check(!PySys_SetObject("argv", list));
    check(!PySys_SetObject("orig_argv", list));
    Py_DECREF(list);
}

/* posix.environ, which os.environ is made of; of two with one name the first counts, as in posixmodule.c */
static void
take_environment(void)
{
    for (char **line = environ; *line; line++) {
        char *equals = strchr(*line, '=');
        if (!equals) {
            continue;
        }
        PyObject *name = PyBytes_FromStringAndSize(*line, equals - *line);
        PyObject *value = PyBytes_FromString(equals + 1);
        check(name && value && PyDict_SetDefault(environment, name, value));
        Py_DECREF(name);
        Py_DECREF(value);
    }
}

/* -- before the picture: what does a call touch? ------------------------------------------------------------------- */

static const char *const verbs[] = {"VERSION", "STATUS", "ADD", "CHECK", "DEL"};

static uint32_t
bits_of(const char *names)
{
    uint32_t bits = 0;
    for (size_t i = 0; i < sizeof verbs / sizeof *verbs; i++) {
        bits |= (uint32_t)(strstr(names, verbs[i]) != NULL) << i;
    }
    return bits;
}

/* each function of a tuple of (names of the calls that it stands for, function) */
static void
rehearse(PyObject *calls)
{
    for (Py_ssize_t i = 0; calls && i < PyTuple_Size(calls); i++) {
        const char *names;
        PyObject *call, *done = NULL;
        if (PyArg_ParseTuple(PyTuple_GetItem(calls, i), "sO", &names, &call)) {
            hot_calls(bits_of(names));
            done = PyObject_CallNoArgs(call);
        }
        if (!done) {
            give_up("warm.py");
        }
        Py_DECREF(done);
    }
}

/* all that warm.py and play.py do, each block that they touch is told; what is imported after warm.py is play.py's */
static int
watch(int argc, char **argv)
{
    hot_watch();
    reset_signals();
    read_modules(argv[2]);
    start_python();
    const struct _frozen *more = import_until(PyImport_FrozenModules, "preload");
    hot_until_here();
    import_until(more + 1, "");
    find_what_a_call_needs();
    PyObject *warm = attribute("warm", "CALLS"), *play = attribute("play", "CALLS");
    PyGC_Disable();                     /* as in a call: it would touch everything */
    thread = PyThreadState_Get();
    PyEval_SaveThread();
    hot_calls(HEAP_RANKS - 1);
    wake_python();
    take_signals();
    take_arguments(argc, argv);
    take_environment();
    rehearse(warm);
    rehearse(play);
    hot_tell(argv[3]);
    _exit(0);
}

int
main(int argc, char **argv)
{
    if (!is_picture) {
        if (argc < 5) {
            dprintf(2, "usage: %s watch MODULES HOT DIRECTORY | take MODULES HOT PICTURE [BYTES]\n", argv[0]);
            return 2;
        }
        return strcmp(argv[1], "watch") ? make_picture(argv[2], argv[3], argv[4], argv[5]) : watch(argc, argv);
    }
    watch_for_crashes();
    check_file();
    wake_python();
    take_signals();
    take_arguments(argc, argv);
    take_environment();
    Py_XDECREF(PyObject_CallNoArgs(entry));
    check(0);                           /* entry ends the process itself */
}
