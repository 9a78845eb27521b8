// Stands for the driver's libcuda when kvplan is linked (x86-64 Linux). candle's build names libcuda as a
// library the program cannot start without; with this in its place the program starts on any machine, loads
// the driver at the first call, and is told "no device" where there is none, so that the CPU is used.
//
// `names.h` has a line NAME(function) for every function of the driver that cudarc declares.
#include <dlfcn.h>
#include <stddef.h>

enum {
#define NAME(function) index_##function,
#include "names.h"
#undef NAME
    count
};

static const char *const names[count] = {
#define NAME(function) #function,
#include "names.h"
#undef NAME
};

static int no_device(void) { return 100; } // CUDA_ERROR_NO_DEVICE

// The driver's function of an index.
__attribute__((visibility("hidden"))) void *kvplan_driver_function(size_t index) {
    static void *found[count];
    void *function = __atomic_load_n(&found[index], __ATOMIC_ACQUIRE);
    if (function == NULL) {
        void *driver = dlopen("libcuda.so.1", RTLD_NOW | RTLD_GLOBAL);
        function = driver == NULL ? NULL : dlsym(driver, names[index]);
        function = function == NULL ? (void *)no_device : function;
        __atomic_store_n(&found[index], function, __ATOMIC_RELEASE);
    }
    return function;
}

// Every function puts its index on the stack and comes here, which looks it up with the arguments kept (no
// function of the driver takes floating-point arguments that cudarc passes) and goes on there.
__asm__(".text\n"
        "kvplan_driver_call:\n"
        "pushq %rdi\n pushq %rsi\n pushq %rdx\n pushq %rcx\n pushq %r8\n pushq %r9\n"
        "movq 48(%rsp), %rdi\n"
        "call kvplan_driver_function\n"
        "movq %rax, %r11\n"
        "popq %r9\n popq %r8\n popq %rcx\n popq %rdx\n popq %rsi\n popq %rdi\n"
        "addq $8, %rsp\n"
        "jmp *%r11\n");

#define NAME(function)                                                                                       \
    __attribute__((naked)) void function(void) {                                                             \
        __asm__ volatile("pushq %0\n jmp kvplan_driver_call" : : "i"((long)index_##function));               \
    }
#include "names.h"
