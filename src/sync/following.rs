//! Operators suspend, resume and unpin the source.

use serde_json::{Value, json};
use tokio::sync::oneshot;

use super::{
    Done, Sync,
    orders::{SyncOutcome, error::OrderError},
};
use crate::{
    audit::{Action, Actor},
    deployment::{Following, Snapshot, Suspension},
};

/// The channel of the answer.
type Reply = oneshot::Sender<Result<SyncOutcome, OrderError>>;

/// The operator, the action and its details, for the audit log.
type Why = (Actor, Action, Value);

impl Sync {
    /// Says from now on this of following the source.
    pub(super) fn follow_as(&mut self, following: Following) {
        self.parts.live.set_status(|status| status.following.clone_from(&following));
        self.following = following;
    }

    /// Returns why nothing of a snapshot may go live, if an operator said so.
    pub(super) fn held(&self, snapshot: &Snapshot) -> Option<String> {
        let Following { suspended, pin } = &self.following;
        if let Some(suspension) = suspended {
            return Some(suspension.to_string());
        }
        let pin = pin.as_ref()?;
        let is_abandoned = snapshot.commit.is_some() && snapshot.revision == pin.abandoned;
        (pin.hold || is_abandoned).then(|| pin.to_string())
    }

    /// Returns which files are not live as the source has them, because an operator went back.
    pub(super) fn held_files(&self) -> Option<String> {
        self.following.pin.as_ref().map(ToString::to_string)
    }

    /// Follows the source again after a rollback.
    pub(super) async fn unpin(&mut self, by: Actor, reply: Reply, done: Done) -> Done {
        let unpinned = Following { pin: None, ..self.following.clone() };
        let wanted = if self.following.pin.is_some() { Ok(unpinned) } else { Err("nothing is pinned") };
        let to = self.following.pin.as_ref().map(|pin| pin.to);
        self.change_and_look(wanted, (by, Action::Unpin, json!({ "pinned_to": to })), reply, done).await
    }

    /// Follows the source again after it was suspended.
    pub(super) async fn resume(&mut self, by: Actor, reply: Reply, done: Done) -> Done {
        let resumed = Following { suspended: None, ..self.following.clone() };
        let wanted = if self.following.suspended.is_some() { Ok(resumed) } else { Err("the source is not suspended") };
        self.change_and_look(wanted, (by, Action::Resume, json!({})), reply, done).await
    }

    /// Follows the source no longer.
    pub(super) async fn suspend(&mut self, by: Actor) -> Result<(), OrderError> {
        if self.following.suspended.is_some() {
            return Err(OrderError::NothingToDo("the source is suspended already"));
        }
        let suspended = Some(Suspension { by: by.who.clone(), since_us: self.parts.ids.now_us() });
        let following = Following { suspended, ..self.following.clone() };
        self.change(following, (by, Action::Suspend, json!({}))).await?;
        // The next look, which would say so, comes when something changes.
        let held = self.following.suspended.as_ref().map(ToString::to_string);
        self.parts.live.set_status(|status| status.held.clone_from(&held));
        Ok(())
    }

    async fn change(&mut self, following: Following, (by, action, detail): Why) -> Result<(), OrderError> {
        let record = by.does(action, self.parts.ids.now_us(), detail);
        self.store()?.set_following(&following, &record).await?;
        self.follow_as(following);
        Ok(())
    }

    async fn change_and_look(&mut self, wanted: Result<Following, &'static str>, why: Why, reply: Reply, done: Done) -> Done {
        let changed = match wanted {
            Ok(following) => self.change(following, why).await,
            Err(why) => Err(OrderError::NothingToDo(why)),
        };
        let done = if changed.is_ok() { self.sync(self.parts.source.cause()).await } else { done };
        let _ = reply.send(changed.map(|()| self.last_look()));
        done
    }
}
