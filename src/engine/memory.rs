//! Counts the memory that this thread holds, so that a run can be stopped at its budget. Rhai's own limits look at one value at a time:
//! a few hundred variables of 1 MiB each pass all of them.

use std::{
    alloc::{GlobalAlloc, Layout},
    cell::Cell,
};

use mimalloc::MiMalloc;

thread_local! {
    /// Bytes allocated less bytes freed by this thread since it began. Negative where it frees what others allocated.
    static HELD: Cell<isize> = const { Cell::new(0) };
    /// The highest value of `HELD` since [`reset_peak`].
    static PEAK: Cell<isize> = const { Cell::new(0) };
}

/// mimalloc that counts by thread. It never refuses: a null would abort the process, and unwinding out of an allocator is undefined.
#[derive(Debug)]
pub struct CountingAllocator;

fn count(bytes: isize) {
    // A thread that is ending may free after its thread-locals are gone; nobody reads its count any more.
    let _ = HELD.try_with(|held| {
        let now = held.get() + bytes;
        held.set(now);
        if bytes > 0 {
            let _ = PEAK.try_with(|peak| {
                if now > peak.get() {
                    peak.set(now);
                }
            });
        }
    });
}

#[expect(unsafe_code, reason = "GlobalAlloc is an unsafe trait; every call is passed on unchanged to mimalloc")]
// SAFETY: every method forwards its arguments unchanged to `MiMalloc`, which upholds the contract; counting touches only plain cells.
unsafe impl GlobalAlloc for CountingAllocator {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size() as isize);
        unsafe { MiMalloc.alloc(layout) }
    }
    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        count(-(layout.size() as isize));
        unsafe { MiMalloc.dealloc(pointer, layout) }
    }
    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        count(layout.size() as isize);
        unsafe { MiMalloc.alloc_zeroed(layout) }
    }
    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        count(new_size as isize - layout.size() as isize);
        unsafe { MiMalloc.realloc(pointer, layout, new_size) }
    }
}

/// Returns the bytes that this thread holds, counted from an arbitrary zero.
pub fn held() -> isize {
    HELD.get()
}

/// Forgets the highest count so far and returns the count now.
pub fn reset_peak() -> isize {
    PEAK.set(HELD.get());
    HELD.get()
}

/// Makes this the highest count so far, if the count now is not higher.
pub fn set_peak(peak: isize) {
    PEAK.set(peak.max(HELD.get()));
}

/// Returns the highest count since the last reset.
pub fn peak() -> isize {
    PEAK.get()
}

/// Gives memory that this thread has freed back to the system. The allocator would do so with its next allocations, of which an idle node
/// has none.
#[expect(unsafe_code, reason = "a call of a C function without arguments that matter")]
pub fn give_back() {
    // SAFETY: `mi_collect` takes a flag, may be called at any time on any thread, and frees only what is not in use.
    unsafe { libmimalloc_sys::mi_collect(true) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_thread_holds_is_counted_and_given_back() {
        let base = reset_peak();
        let block = vec![1_u8; 100_000];
        assert!(held() - base >= 100_000);
        drop(block);
        assert!(held() - base < 1_000);
        assert!(peak() - base >= 100_000);
    }
}
