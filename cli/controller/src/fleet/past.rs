//! Coming to where a controller was that was killed: through what it had heard, and back to the sessions that it had.

use super::play::{Coordinator, Stop};
use super::session::News;

impl Coordinator<'_> {
    /// The next piece of what was heard before; wakes the sessions when there is none left.
    pub(super) fn next_past(&mut self) -> Result<Option<(usize, News)>, Stop> {
        while let Some(past) = &mut self.past {
            let Some((member, news)) = past.next() else {
                self.past = None;
                self.wake()?;
                return Ok(None);
            };
            let session = self.asleep.get_mut(&member).ok_or_else(strayed)?;
            match &news {
                Some(News::Starting) => session.resumed = Some(0),
                Some(News::Ended | News::Lost(_) | News::Refused(_)) => {
                    self.asleep.remove(&member);
                }
                _ => *session.resumed.as_mut().ok_or_else(strayed)? += 1,
            }
            if let Some(news) = news {
                return Ok(Some((member, news)));
            }
        }
        Ok(None)
    }

    /// Goes on with the sessions that a controller that was killed had not seen the end of, and begins those that it had not
    /// begun.
    fn wake(&mut self) -> Result<(), Stop> {
        for (member, session) in std::mem::take(&mut self.asleep) {
            session.orders.forget_old();
            let thread = session.begin();
            let thread = thread.map_err(|e| Stop::Error(format!("cannot start a session: {e}")))?;
            self.members[member].thread = Some(thread);
        }
        Ok(())
    }
}

/// The run does not come to where it was.
fn strayed() -> Stop {
    Stop::Error(
        "the run cannot be resumed: with what was heard of its hosts it takes another way now; has the inventory changed?"
            .to_owned(),
    )
}
