//! A Postgres that is stopped, started again, and read-only for a while, as a standby is.

use super::desk::{Again, Emitted, Queued, desk, done, judge, own_url, queued, rows};
use crate::kit::{
    node::{Node, PATIENCE, wait_until},
    postgres::Server,
};

/// Claims that a crash may forget, at most: five that run, and a batch that is claimed ahead. A settlement takes the claims before it to the disk.
const UNSETTLED: usize = 133;
/// So many looks in a row see no run end: a settlement that failed is tried again after a second.
const LOOKS: u32 = 300;

/// Has the server refuse what writes (25006), on connections that are there, too.
fn read_only(url: &str, value: &str) {
    let set = match value {
        "on" => "ALTER SYSTEM SET default_transaction_read_only = on",
        _ => "ALTER SYSTEM RESET default_transaction_read_only",
    };
    rows::<(i64,)>(url, set);
    rows::<(i64,)>(url, "SELECT 1::bigint FROM pg_reload_conf()");
}

/// Whether the node says that it cannot keep events.
fn refuses(node: &Node) -> bool {
    let mut client = node.client();
    client.send("POST", "/emit?id=x-refused", &[], b"").is_ok_and(|answer| answer.status == 503)
}

/// Waits until all events that are left are claimed, and no run ends any more. Returns those.
fn claimed_for_good(url: &str) -> Vec<Queued> {
    let (mut claimed, mut looks) = (Vec::new(), 0);
    wait_until("what is left is claimed for good", PATIENCE, || {
        let (now, others): (Vec<_>, Vec<_>) = queued(url).into_iter().filter(Queued::is_event).partition(|one| one.state == 1);
        looks = if others.iter().all(|one| one.state == 2) && now == claimed { looks + 1 } else { 0 };
        claimed = now;
        looks > LOOKS
    });
    claimed
}

#[test]
fn no_event_is_lost_while_postgres_is_stopped_or_read_only_and_the_node_goes_on_by_itself() {
    let server = Server::start();
    let mut node = desk().variable("PICLOUD_DATABASE_URL", &server.url()).start();
    // A migration that was written just now is waited for, and with it whoever uses its table.
    node.wait_for_line(&["is live: 4 functions"]);
    let (mut emitted, mut again) = (Emitted::default(), Again::default());
    emitted.sent.insert("x-refused".into());
    let own = own_url(&node);
    for (round, mode) in ["fast", "immediate", "read-only"].into_iter().enumerate() {
        emitted.during(&node, round as u64 * 1_000_000, |answered| {
            wait_until("some are answered", PATIENCE, || answered.lock().unwrap().len() > 20);
            match mode {
                "read-only" => read_only(&own, "on"),
                mode => {
                    server.stop(mode);
                    // A claim does not wait for the disk, so a crash may forget it.
                    again.forgotten += if mode == "immediate" { UNSETTLED } else { 0 };
                }
            }
            wait_until("an emit is refused", PATIENCE, || refuses(&node));
            match mode {
                "read-only" => read_only(&own, "off"),
                _ => assert!(server.go_on()),
            }
        });
        // It goes on by itself.
        let last = format!("z-{round}");
        emitted.sent.insert(last.clone());
        let mut client = node.client();
        wait_until("it takes events again", PATIENCE, || {
            client.send("POST", &format!("/emit?id={last}"), &[], b"").is_ok_and(|answer| answer.status == 200)
        });
        emitted.answered.insert(last.clone());
        wait_until("it runs events again", PATIENCE, || done(&node).iter().any(|done| done.handler == "packed" && done.of == last));
        // A claim whose answer was lost is nobody's until its lease ends or a node takes over.
        let claimed = claimed_for_good(&own);
        // So is a due time; one that runs just now may not be.
        let due_times = queued(&own).into_iter().filter(|one| one.state == 1 && !one.is_event());
        again.under_way.extend(claimed.into_iter().chain(due_times).map(|one| one.name()));
        // The start takes it over.
        node.restart();
        wait_until("everything is done", PATIENCE * 4, || queued(&own).is_empty());
        judge(&done(&node), &emitted, &again);
    }
    assert_eq!(rows::<(i64,)>(&own, "SELECT COUNT(*) FROM dead_letters")[0], (0,));
    println!("{} emits, {} answered", emitted.sent.len(), emitted.answered.len());
    node.stop();
}
