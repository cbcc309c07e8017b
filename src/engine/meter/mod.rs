//! Counts what the run on this thread uses and stops it at its limits.
//!
//! Rhai's own counter of operations goes backwards inside native callbacks, and `sort` swallows the error of a comparator. So the count
//! is ours, and a stop is sticky: every later operation stops again, and the result is looked at only after asking [`usage`].

pub mod limits;
pub mod share;

use std::{
    cell::{Cell, RefCell},
    time::{Duration, Instant},
};

use rhai::Dynamic;

use self::limits::{Allowance, CpuLimit, Stop, UNCOUNTED, Usage, cpu_time};
use super::{budget, memory};
use crate::{cancel::CancelFlag, clock::monotonic};

/// The clock is read once in so many of Rhai's operations at most; one is some 50 ns.
const OPERATIONS_PER_LOOK: u64 = 32;
/// The clock is first read after so many.
const FIRST_LOOK: u64 = 8;
/// Where so many operations take longer than this, they stand for work on large values, and the clock is read more often.
const LONG_STRETCH: Duration = Duration::from_micros(50);
/// It is also read when the run has grown or shrunk by this much since: one operation on a large value can take milliseconds.
const BYTES_PER_LOOK: isize = 256 * 1024;

/// Plain cells throughout: what needs dropping would have every access ask whether it is still there.
struct Meter {
    operations: Cell<u64>,
    /// The operation at which to look closer: the clock's turn, or the last that is allowed.
    look_at: Cell<u64>,
    /// Holding less or more than this is a reason to look closer, too.
    held_low: Cell<isize>,
    held_high: Cell<isize>,
    max_operations: Cell<u64>,
    base: Cell<isize>,
    /// What it may hold without asking the node for more.
    budget: Cell<isize>,
    /// Its own limit.
    max_memory: Cell<usize>,
    kept: Cell<isize>,
    stop: Cell<Option<Stop>>,
    started: Cell<Option<Instant>>,
    time: Cell<Duration>,
    /// When the last look was, since the start, and how many operations later the next one is.
    looked: Cell<Duration>,
    stretch: Cell<u64>,
    cpu: Cell<Option<CpuLimit>>,
    /// When to read the thread's clock next, since the start.
    cpu_look: Cell<Duration>,
}

thread_local! {
    static METER: Meter = const {
        Meter {
            operations: Cell::new(0),
            look_at: Cell::new(0),
            held_low: Cell::new(0),
            held_high: Cell::new(0),
            max_operations: Cell::new(0),
            base: Cell::new(0),
            budget: Cell::new(0),
            max_memory: Cell::new(0),
            kept: Cell::new(0),
            stop: Cell::new(None),
            started: Cell::new(None),
            time: Cell::new(Duration::ZERO),
            looked: Cell::new(Duration::ZERO),
            stretch: Cell::new(FIRST_LOOK),
            cpu: Cell::new(None),
            cpu_look: Cell::new(Duration::ZERO),
        }
    };
    static CANCEL: RefCell<Option<CancelFlag>> = const { RefCell::new(None) };
}

/// Begins to count for a run on this thread.
pub fn start(allowance: &Allowance) {
    // Before counting begins: the flag of the run before is freed here, and is nothing that this run has given back.
    CANCEL.with_borrow_mut(|cancel| {
        if cancel.is_some() || allowance.cancel.is_some() {
            cancel.clone_from(&allowance.cancel);
        }
    });
    METER.with(|meter| {
        meter.operations.set(0);
        meter.max_operations.set(allowance.operations);
        meter.base.set(memory::reset_peak());
        meter.kept.set(0);
        share::give_back();
        meter.budget.set(allowance.memory.min(budget::FREE) as isize);
        meter.max_memory.set(allowance.memory);
        meter.stop.set(None);
        meter.started.set(Some(monotonic()));
        meter.time.set(allowance.time);
        meter.cpu.set(allowance.cpu);
        meter.cpu_look.set(allowance.cpu.map_or(Duration::MAX, |cpu| if cpu.since.is_some() { Duration::ZERO } else { UNCOUNTED }));
        meter.looked.set(Duration::ZERO);
        meter.stretch.set(FIRST_LOOK);
        meter.look_later(0, meter.base.get());
    });
}

/// How many operations of compiled code take as long as one of Rhai.
const OWN_PER_RHAI: u64 = 32;

/// Returns how many operations may pass before [`spend`] is asked, and how many bytes may be held until then.
pub fn fuel() -> (i64, isize) {
    METER.with(|meter| {
        let left = meter.max_operations.get().saturating_sub(meter.operations.get());
        let fuel = (meter.stretch.get() * OWN_PER_RHAI).min(left);
        let fuel = if meter.stop.get().is_some() { 0 } else { fuel };
        (fuel as i64, meter.held_high.get())
    })
}

/// Counts operations that have passed, without a look at anything else. Returns whether the run may go on.
pub fn count(operations: u64) -> bool {
    METER.with(|meter| {
        let operations = meter.operations.get() + operations;
        meter.operations.set(operations);
        if meter.stop.get().is_none() && operations > meter.max_operations.get() {
            meter.end(Stop::Operations);
        }
        meter.stop.get().is_none()
    })
}

/// Counts operations that have passed, and looks at all limits. Returns whether the run may go on, and stops it if it may not.
pub fn spend(operations: u64) -> bool {
    METER.with(|meter| {
        let operations = meter.operations.get() + operations;
        meter.operations.set(operations);
        meter.look(operations, memory::held()).is_none()
    })
}

/// Does work that is not the run's: what it takes is no part of the run's memory.
pub fn beside<T>(work: impl FnOnce() -> T) -> T {
    METER.with(|meter| {
        let (base, held, peak) = (meter.base.get(), memory::held(), memory::peak());
        let result = work();
        let stays = memory::held() - held;
        // Set, not added to: work inside work is counted once.
        meter.base.set(base + stays);
        memory::set_peak(peak + stays);
        result
    })
}

/// Returns how much of its time the run on this thread has left.
pub fn time_left() -> Duration {
    METER.with(|meter| meter.time.get().saturating_sub(meter.started.get().map_or(Duration::ZERO, |started| started.elapsed())))
}

/// Returns how many bytes the run on this thread may hold beyond what it holds.
pub fn memory_left() -> usize {
    METER.with(|meter| meter.max_memory.get().saturating_sub((memory::held() - meter.base.get()).max(0) as usize))
}

/// Returns what is set when nobody wants the result of the run any more.
pub fn cancel_flag() -> Option<CancelFlag> {
    CANCEL.with_borrow(Clone::clone)
}

/// Stops the run on this thread.
pub fn interrupt(stop: Stop) {
    METER.with(|meter| drop(meter.end(stop)));
}

/// Returns what the run on this thread has used so far.
pub fn usage() -> Usage {
    METER.with(|meter| Usage {
        stop: meter.stop.get(),
        operations: meter.operations.get(),
        duration: meter.started.get().map_or(Duration::ZERO, |started| started.elapsed()),
        peak_memory: (memory::peak() - meter.base.get()).max(0) as u64,
    })
}

/// Whether the run on this thread was stopped and has not ended yet.
pub fn is_stopped() -> bool {
    METER.with(|meter| meter.stop.get().is_some())
}

/// Returns whether the run on this thread is within its memory limit, and stops it if it is not. It is for work that grows between two
/// operations.
pub fn has_memory() -> bool {
    has_room(0)
}

/// Returns whether the run on this thread may hold so many bytes more, and stops it if not. It is for what is allocated at once.
pub fn has_room(bytes: usize) -> bool {
    METER.with(|meter| {
        let held = memory::held().saturating_add(bytes.try_into().unwrap_or(isize::MAX));
        let stop = meter.started.get().and_then(|_| meter.grow(held));
        if let Some(stop) = stop {
            meter.end(stop);
        }
        stop.is_none()
    })
}

/// Returns whether the run on this thread may go on, and stops it if it may not. It is for work that lasts between two operations.
pub fn has_time() -> bool {
    METER.with(|meter| meter.started.get().is_none() || meter.look(meter.operations.get(), memory::held()).is_none())
}

/// Does work whose memory outlives the run by right: its reply, its log.
pub fn keep<T>(work: impl FnOnce() -> T) -> T {
    METER.with(|meter| {
        let (kept, outside) = (meter.kept.get(), memory::held() - meter.base.get());
        let result = work();
        // Set, not added to: work inside work is counted once, and what was done beside the run is in its base.
        meter.kept.set(kept + memory::held() - meter.base.get() - outside);
        result
    })
}

/// Returns the bytes that the run allocated and did not free, without those that it [keeps](keep). Ask when all values of the run are
/// dropped. A positive number is a cycle of closures, or a value that a module holds on to. A negative one is a value that a module let go.
pub fn leaked() -> isize {
    METER.with(|meter| memory::held() - meter.base.get() - meter.kept.get())
}

/// Counts one operation; `Some` stops the script. This is the engine's progress callback.
pub fn count_one() -> Option<Dynamic> {
    METER.with(|meter| {
        let operations = meter.operations.get() + 1;
        meter.operations.set(operations);
        let held = memory::held();
        if operations < meter.look_at.get() && held >= meter.held_low.get() && held <= meter.held_high.get() {
            return None;
        }
        meter.look(operations, held)
    })
}

impl Meter {
    /// Says when to look closer after a look that found nothing.
    fn look_later(&self, operations: u64, held: isize) {
        self.look_at.set((operations + self.stretch.get()).min(self.max_operations.get().saturating_add(1)));
        self.held_low.set(held.saturating_sub(BYTES_PER_LOOK));
        self.held_high.set(held.saturating_add(BYTES_PER_LOOK).min(self.base.get().saturating_add(self.budget.get())));
    }

    fn end(&self, stop: Stop) -> Option<Dynamic> {
        self.stop.set(Some(stop));
        // Every later operation stops again.
        self.look_at.set(0);
        Some(Dynamic::UNIT)
    }

    /// Asks the node for memory if the run holds more than it was given.
    fn grow(&self, held: isize) -> Option<Stop> {
        let held = held - self.base.get();
        if held <= self.budget.get() {
            return None;
        }
        let limit = self.max_memory.get();
        if held as usize > limit {
            return Some(Stop::Memory);
        }
        let Some(taken) = share::take(held as usize, limit) else {
            return Some(Stop::NodeMemory);
        };
        self.budget.set(taken as isize);
        None
    }

    #[inline(never)]
    fn look(&self, operations: u64, held: isize) -> Option<Dynamic> {
        if self.stop.get().is_some() {
            return Some(Dynamic::UNIT);
        }
        if let Some(stop) = self.grow(held) {
            return self.end(stop);
        }
        if operations > self.max_operations.get() {
            return self.end(Stop::Operations);
        }
        if CANCEL.with_borrow(|cancel| cancel.as_ref().is_some_and(CancelFlag::is_set)) {
            return self.end(Stop::Cancelled);
        }
        let elapsed = self.started.get().map_or(Duration::ZERO, |started| started.elapsed());
        if elapsed > self.time.get() {
            return self.end(Stop::Deadline);
        }
        if elapsed >= self.cpu_look.get() && self.has_used_cpu(elapsed) {
            return self.end(Stop::CpuTime);
        }
        let stretch = self.stretch.get();
        let is_long = elapsed.saturating_sub(self.looked.replace(elapsed)) > LONG_STRETCH;
        self.stretch.set(if is_long { (stretch / 4).max(1) } else { (stretch * 2).min(OPERATIONS_PER_LOOK) });
        self.look_later(operations, held);
        None
    }

    /// Reads the thread's clock, and says whether the run has used what it may. It cannot use more CPU time than passes, so the next time is
    /// known.
    fn has_used_cpu(&self, elapsed: Duration) -> bool {
        let Some(cpu) = self.cpu.get() else { return false };
        let now = cpu_time();
        let since = cpu.since.unwrap_or(now);
        self.cpu.set(Some(CpuLimit { since: Some(since), ..cpu }));
        let left = cpu.limit.checked_sub(now.saturating_sub(since));
        self.cpu_look.set(left.map_or(Duration::MAX, |left| elapsed + left));
        left.is_none()
    }
}
