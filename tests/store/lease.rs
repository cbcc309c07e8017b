//! A node has its database alone; commands may look in beside it.

use std::os::unix::fs::symlink;

use picloud::store::{Store, StoreError, Turn};

use crate::kit::store::{Fresh, execution, until};

/// Names the same database for a node with another data folder.
async fn taken(url: &str) -> Result<(), StoreError> {
    let folder = tempfile::tempdir().unwrap();
    let (store, _lease) = Store::open_as_node(url, folder.path(), "other").await?;
    store.close().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_node_on_a_database_is_refused_until_the_first_has_left() {
    for fresh in [Fresh::sqlite(), Fresh::postgres().await] {
        let url = match fresh.url.as_str() {
            "sqlite" => format!("sqlite:{}", fresh.folder.path().join("elsewhere/one.db").display()),
            url => url.to_owned(),
        };
        let (store, lease) = Store::open_as_node(&url, fresh.folder.path(), "one").await.unwrap();
        let error = taken(&url).await.unwrap_err();
        assert!(error.is_outage());
        let said = error.to_string();
        assert!(said.starts_with("another node uses the database `"), "{said}");
        assert!(said.contains(&format!("process {}", std::process::id())), "{said}");
        assert!(said.ends_with("\n  hint: stop it, or give this node a database of its own"), "{said}");
        // Commands may read and write.
        let command = Store::open_existing(&url, fresh.folder.path()).await.unwrap();
        command.append_executions(&[execution(1)], Turn::First).await.unwrap();
        assert!(store.execution(execution(1).id).await.unwrap().is_some());
        drop(lease);
        until("the next node has it", async || taken(&url).await.is_ok()).await;
    }
}

#[tokio::test]
async fn a_file_is_one_database_by_whatever_name_it_is_found() {
    let fresh = Fresh::sqlite();
    let (folder, links) = (fresh.folder.path(), tempfile::tempdir().unwrap());
    let inside = format!("sqlite:{}", folder.join("picloud.db").display());
    symlink(folder.join("picloud.db"), links.path().join("link.db")).unwrap();
    symlink(folder, links.path().join("folder")).unwrap();
    let linked = format!("sqlite:{}", links.path().join("link.db").display());
    let in_link = format!("sqlite:{}", links.path().join("folder/picloud.db").display());
    // By its own name in its own data folder, and by any other; also before it is there.
    for first in ["sqlite", &linked, &inside, &in_link] {
        let (store, lease) = Store::open_as_node(first, folder, "one").await.unwrap();
        for second in [&inside, &linked, &in_link] {
            let error = taken(second).await.unwrap_err();
            assert!(matches!(error, StoreError::InUse { .. }), "{first}, {second}: {error}");
        }
        store.close().await;
        drop(lease);
    }
    // With two names of its own it would have two logs.
    std::fs::hard_link(folder.join("picloud.db"), links.path().join("hard.db")).unwrap();
    let hard = format!("sqlite:{}", links.path().join("hard.db").display());
    for url in [inside.as_str(), &hard] {
        let said = taken(url).await.unwrap_err().to_string();
        assert!(said.contains("has other names too (hard links)"), "{said}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_session_that_an_ended_process_of_the_same_node_left_behind_does_not_lock_it_out() {
    let fresh = Fresh::postgres().await;
    let (proxy, url) = crate::kit::proxy::Proxy::before(&fresh.url).await;
    let ended = Store::open_as_node(&url, fresh.folder.path(), "one").await.unwrap();
    // The server hears nothing of the end.
    proxy.hold();
    drop(ended);
    assert!(taken(&fresh.url).await.is_err());
    let again = async || Store::open_as_node(&fresh.url, fresh.folder.path(), "one").await.is_ok();
    until("the node has its database again", again).await;
}
