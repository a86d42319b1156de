/* The modules in C: those that are linked into `sriov`, and the one that is ours.
 *
 * This table takes the place of libpython's own, so that the linker leaves out what nobody imports: sqlite to zlib.
 */
#define _GNU_SOURCE
#define Py_BUILD_CORE
#include <Python.h>
#include <internal/pycore_import.h>
#include <sched.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifndef BUILT_OF
#define BUILT_OF ""
#endif

/* -- _cni ---------------------------------------------------------------------------------------------------------- */

/* os.setns came with Python 3.12; ctypes would bring its own heap of code */
static PyObject *
cni_setns(PyObject *module, PyObject *args)
{
    (void)module;
    int fd, kind;
    if (!PyArg_ParseTuple(args, "ii:setns", &fd, &kind)) {
        return NULL;
    }
    if (setns(fd, kind) < 0) {
        return PyErr_SetFromErrno(PyExc_OSError);
    }
    Py_RETURN_NONE;
}

/* of union bpf_attr, whatever its command reads and writes */
static PyObject *
cni_bpf(PyObject *module, PyObject *args)
{
    (void)module;
    int command;
    Py_buffer attr;
    if (!PyArg_ParseTuple(args, "iw*:bpf", &command, &attr)) {
        return NULL;
    }
    long done = syscall(SYS_bpf, command, attr.buf, (unsigned int)attr.len);
    PyBuffer_Release(&attr);
    if (done < 0) {
        return PyErr_SetFromErrno(PyExc_OSError);
    }
    Py_RETURN_NONE;
}

static int
cni_exec(PyObject *module)
{
    return PyModule_AddStringConstant(module, "built_of", BUILT_OF);
}

static PyMethodDef cni_methods[] = {
    {"setns", cni_setns, METH_VARARGS, NULL},
    {"bpf", cni_bpf, METH_VARARGS, NULL},
    {NULL, NULL, 0, NULL},
};
static PyModuleDef_Slot cni_slots[] = {{Py_mod_exec, cni_exec}, {0, NULL}};
static struct PyModuleDef cni_module = {
    .m_base = PyModuleDef_HEAD_INIT,
    .m_name = "_cni",
    .m_methods = cni_methods,
    .m_slots = cni_slots,
};

static PyObject *
PyInit__cni(void)
{
    return PyModuleDef_Init(&cni_module);
}

/* -- the table: what the build passes as MODULES, and what CPython starts with ------------------------------------- */

extern PyObject *PyMarshal_Init(void), *_PyWarnings_Init(void);

#define M(name) PyObject *PyInit_##name(void);
MODULES
#undef M
#define M(name) {#name, PyInit_##name},
struct _inittab _PyImport_Inittab[] = {
    MODULES
    {"_cni", PyInit__cni},
    {"marshal", PyMarshal_Init},
    {"_warnings", _PyWarnings_Init},
    {"builtins", NULL},
    {"sys", NULL},
    {NULL, NULL},
};
#undef M

/* -- the tables of frozen modules: empty, but for what snapshot.c reads -------------------------------------------- */

/* libpython's own have docstrings, and are variables of which the linker can leave out none: 0.9 MB. Where they are
 * not linked, nothing is to be done about them when Python starts. */
static const struct _frozen no_module = {.name = NULL};
static const struct _module_alias no_alias = {NULL, NULL};
const struct _frozen *_PyImport_FrozenBootstrap = &no_module, *_PyImport_FrozenStdlib = &no_module;
const struct _frozen *_PyImport_FrozenTest = &no_module, *PyImport_FrozenModules = NULL;
const struct _module_alias *_PyImport_FrozenAliases = &no_alias;

int _Py_Deepfreeze_Init(void);
void _Py_Deepfreeze_Fini(void);

int
_Py_Deepfreeze_Init(void)
{
    return 0;
}

void
_Py_Deepfreeze_Fini(void)
{
}
