"""The runtime that executes CUDA kernels on the host, in C++: threads, barriers, shuffles and what goes wrong in them.

A thread of a block is a fiber: it runs until it waits at a barrier or a shuffle, and then another one runs. A fiber
whose thread ends takes the next one, so that a kernel without barriers is a loop over threads on one stack. Blocks run
one after the other. Between two rounds the scheduler lets on whoever has waited for what has come: a block of which all
threads stand at one barrier, the lanes of a warp that stand at one shuffle. Where nobody can go on, that is the error.

What else a kernel may do to a process is caught as a signal and handed on as a message.
"""

from __future__ import annotations

from typing import Final

__all__ = ["RUNTIME"]

RUNTIME: Final = r"""
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <ucontext.h>

struct Index { unsigned x, y, z; };
extern "C" { Index emu_thread, emu_block, emu_block_size, emu_grid_size; unsigned emu_lane; }

enum State { UNSTARTED, READY, AT_BARRIER, AT_SHUFFLE, DONE };
struct Fiber { ucontext_t start; jmp_buf here; char *stack; bool started; };
struct Thread { State state; Fiber *fiber; int line; unsigned mask, source; unsigned long long bits, got; };

static const int MOST = 1024;
static const size_t STACK = 256 << 10, GUARD = 4096;
static Fiber fibers[MOST];
static Fiber *idle[MOST], *running;
static Thread threads[MOST];
static int idle_count, thread_count, started_count, current, failed;
static bool downwards;
static jmp_buf scheduler;
static sigjmp_buf out;
static char message[512], signal_stack[64 << 10];
static void (*body)(void **);
static void **arguments;

static void fail(const char *format, ...) {
    va_list rest;
    va_start(rest, format);
    vsnprintf(message, sizeof message, format, rest);
    va_end(rest);
    failed = 1;
}

static void take_turn(int t) {
    unsigned x = emu_block_size.x, y = emu_block_size.y;
    current = t;
    emu_thread = {t % x, t / x % y, t / (x * y)};
    emu_lane = t % 32;
}

__attribute__((noinline)) static void leave() {  // from a fiber to the scheduler
    if (!_setjmp(running->here)) _longjmp(scheduler, 1);
}

static void live() {  // what a fiber does: the threads that no other has started, block after block
    for (;;) {
        while (started_count < thread_count) {
            int t = downwards ? thread_count - 1 - started_count : started_count;
            ++started_count;
            threads[t].fiber = running;
            take_turn(t);
            body(arguments);
            threads[current].state = DONE;
        }
        idle[idle_count++] = running;
        leave();
    }
}

__attribute__((noinline)) static void enter(Fiber *fiber) {
    running = fiber;
    if (_setjmp(scheduler)) return;
    if (fiber->started) _longjmp(fiber->here, 1);
    if (!fiber->stack) {
        int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE;
        fiber->stack = (char *)mmap(0, STACK, PROT_READ | PROT_WRITE, flags, -1, 0);
        mprotect(fiber->stack, GUARD, PROT_NONE);
    }
    getcontext(&fiber->start);
    fiber->start.uc_stack.ss_sp = fiber->stack;
    fiber->start.uc_stack.ss_size = STACK;
    fiber->start.uc_link = 0;
    fiber->started = true;
    makecontext(&fiber->start, live, 0);
    setcontext(&fiber->start);
}

extern "C" void emu_barrier(int line) {
    Thread &mine = threads[current];
    mine.state = AT_BARRIER;
    mine.line = line;
    leave();
}

extern "C" unsigned long long emu_exchange(int line, unsigned mask, unsigned source, unsigned long long bits) {
    Thread &mine = threads[current];
    mine.state = AT_SHUFFLE;
    mine.line = line;
    mine.mask = mask;
    mine.source = source;
    mine.bits = bits;
    leave();
    return threads[current].got;
}

static bool takes_part(const Thread &one, const Thread &first, int lane) {
    return one.state == AT_SHUFFLE && one.line == first.line && one.mask == first.mask && first.mask >> lane & 1;
}

static void let_on_past_shuffle(int warp) {  // each group of lanes that stands together where its mask says
    int end = warp + 32 < thread_count ? warp + 32 : thread_count;
    for (int t = warp; t < end; ++t) {
        Thread &first = threads[t];
        if (first.state != AT_SHUFFLE) continue;
        if (!(first.mask >> (t - warp) & 1)) return fail("line %d: thread %d is not in its own mask", first.line, t);
        unsigned here = 0, asked = first.mask & (end - warp == 32 ? ~0u : (1u << (end - warp)) - 1);
        for (int u = warp; u < end; ++u) here |= unsigned(takes_part(threads[u], first, u - warp)) << (u - warp);
        if (here != asked) continue;
        Thread group = first;
        for (int u = warp; u < end; ++u) {
            if (!(here >> (u - warp) & 1)) continue;
            unsigned source = threads[u].source;
            if (source > 31 || !(here >> source & 1))
                return fail("line %d: thread %d shuffles with lane %u, which takes no part", group.line, u, source);
            threads[u].got = threads[warp + source].bits;
        }
        for (int u = warp; u < end; ++u) if (here >> (u - warp) & 1) threads[u].state = READY;
    }
}

static void let_on_past_barrier() {
    for (int t = 0; t < thread_count; ++t)
        if (threads[t].state != AT_BARRIER || threads[t].line != threads[0].line) return;
    for (int t = 0; t < thread_count; ++t) threads[t].state = READY;
}

static void explain() {  // why nobody can go on
    int first = 0, same = 0;
    while (threads[first].state == DONE) ++first;
    const Thread &one = threads[first];
    for (int t = 0; t < thread_count; ++t) same += threads[t].state == one.state && threads[t].line == one.line;
    if (one.state == AT_BARRIER)
        fail("line %d: a barrier that %d of the %d threads of the block reach", one.line, same, thread_count);
    else
        fail("line %d: a shuffle of thread %d, mask %08x, that not all its lanes reach", one.line, first, one.mask);
}

static void run_block(char *shared, size_t shared_bytes) {
    if (shared_bytes) memset(shared, 0xff, shared_bytes);  // NaN: nothing is handed on from block to block
    memset(threads, 0, sizeof(Thread) * thread_count);
    started_count = 0;
    downwards = false;
    while (started_count < thread_count) enter(idle[--idle_count]);
    for (;;) {
        bool ready = false, waiting = false;
        let_on_past_barrier();
        for (int warp = 0; warp < thread_count && !failed; warp += 32) let_on_past_shuffle(warp);
        downwards = !downwards;  // so that who comes first changes, and a barrier that is missing shows
        for (int k = 0; k < thread_count && !failed; ++k) {
            int t = downwards ? thread_count - 1 - k : k;
            waiting = waiting || threads[t].state != DONE;
            if (threads[t].state != READY) continue;
            ready = true;
            take_turn(t);
            enter(threads[t].fiber);
        }
        if (!waiting || failed) return;
        if (!ready) return explain();
    }
}

static void run_grid(char *shared, size_t shared_bytes) {
    for (unsigned z = 0; z < emu_grid_size.z; ++z)
        for (unsigned y = 0; y < emu_grid_size.y; ++y)
            for (unsigned x = 0; x < emu_grid_size.x; ++x) {
                emu_block = {x, y, z};
                run_block(shared, shared_bytes);
                if (failed) return;
            }
}

static void on_signal(int number, siginfo_t *, void *) { siglongjmp(out, number); }

static const char *meaning(int number) {
    if (number == SIGSEGV || number == SIGBUS) return "an address that is nobody's, or a stack that overflows";
    if (number == SIGILL || number == SIGTRAP) return "an index beyond an array, or an address out of line";
    return number == SIGFPE ? "a division of integers by zero" : "an abort";
}

extern "C" int emu_launch(void (*kernel)(void **), void **args, const unsigned *shape, char *shared, size_t bytes) {
    static const int CAUGHT[] = {SIGSEGV, SIGBUS, SIGILL, SIGTRAP, SIGFPE, SIGABRT};
    static struct sigaction before[6];
    stack_t stack = {}, stack_before;
    struct sigaction action = {};
    stack.ss_sp = signal_stack;
    stack.ss_size = sizeof signal_stack;
    action.sa_sigaction = on_signal;
    action.sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER;
    body = kernel;
    arguments = args;
    emu_grid_size = {shape[0], shape[1], shape[2]};
    emu_block_size = {shape[3], shape[4], shape[5]};
    thread_count = shape[3] * shape[4] * shape[5];
    failed = 0;
    for (idle_count = 0; idle_count < MOST; ++idle_count) idle[idle_count] = &fibers[MOST - 1 - idle_count];
    sigaltstack(&stack, &stack_before);
    for (int k = 0; k < 6; ++k) sigaction(CAUGHT[k], &action, &before[k]);
    int number = sigsetjmp(out, 1);
    if (!number) run_grid(shared, bytes);
    for (int k = 0; k < 6; ++k) sigaction(CAUGHT[k], &before[k], 0);
    sigaltstack(&stack_before, 0);
    if (number)
        fail("block (%u, %u, %u), thread (%u, %u, %u): %s", emu_block.x, emu_block.y, emu_block.z, emu_thread.x,
             emu_thread.y, emu_thread.z, meaning(number));
    if (failed)
        for (Fiber &fiber : fibers) fiber.started = false;  // some stand in the middle of a kernel
    return failed;
}

extern "C" const char *emu_message() { return message; }
"""
