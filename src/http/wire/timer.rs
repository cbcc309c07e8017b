//! One timer for each connection. Hyper asks for a new one for every request's headers. Setting one up and taking it back takes the
//! runtime's lock each time, for a limit that hardly ever comes.

use std::{
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
    task::{Context, Poll, ready},
    time::{Duration, Instant},
};

use hyper::rt;
use tokio::time::{self, Sleep};

use crate::clock::monotonic;

/// The runtime's timer of a connection. It may ring for a deadline that is no longer of interest, and is then set to the one that is.
type Alarm = Arc<Mutex<Option<Pin<Box<Sleep>>>>>;

/// The timer of a connection that waits for one thing at a time, mostly for as long as the last time.
#[derive(Default)]
pub struct Timer(Alarm);

impl rt::Timer for Timer {
    fn sleep(&self, duration: Duration) -> Pin<Box<dyn rt::Sleep>> {
        self.sleep_until(monotonic() + duration)
    }

    fn sleep_until(&self, deadline: Instant) -> Pin<Box<dyn rt::Sleep>> {
        Box::pin(Wait { deadline: deadline.into(), alarm: self.0.clone() })
    }
}

struct Wait {
    deadline: time::Instant,
    alarm: Alarm,
}

impl rt::Sleep for Wait {}

impl Future for Wait {
    type Output = ();

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        // Nothing that can panic runs while it is held.
        let mut alarm = self.alarm.lock().unwrap_or_else(PoisonError::into_inner);
        let alarm = alarm.get_or_insert_with(|| Box::pin(time::sleep_until(self.deadline)));
        if alarm.deadline() > self.deadline {
            alarm.as_mut().reset(self.deadline);
        }
        loop {
            ready!(alarm.as_mut().poll(context));
            if alarm.deadline() >= self.deadline {
                return Poll::Ready(());
            }
            alarm.as_mut().reset(self.deadline);
        }
    }
}

#[cfg(test)]
mod tests {
    use hyper::rt::Timer as _;

    use super::*;

    #[tokio::test]
    async fn a_wait_is_as_long_as_it_was_asked_for_whatever_was_waited_for_before() {
        let timer = Timer::default();
        let ms = Duration::from_millis;
        for (given_up, wait) in [(ms(20), ms(20)), (ms(5), ms(40)), (ms(60_000), ms(10)), (ms(60_000), ms(0)), (ms(1), ms(20))] {
            let mut before = timer.sleep(given_up);
            assert!(futures_util::poll!(&mut before).is_pending());
            drop(before);
            let began = monotonic();
            time::timeout(ms(30_000), timer.sleep(wait)).await.expect("it rings");
            assert!(began.elapsed() >= wait);
        }
    }
}
