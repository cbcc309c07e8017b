//! What scripts may not do to SQLite: leave their file, change settings of the connection, or begin and end transactions.

use std::sync::{
    Arc, Mutex, PoisonError,
    atomic::{AtomicBool, Ordering},
};

use rusqlite::{
    Connection,
    hooks::{AuthAction, AuthContext, Authorization},
};

use crate::{
    capability::sql::{SqlError, SqlErrorKind},
    sql::migrations::TABLE,
};

/// Pragmas that scripts may use. They show tables; the last holds until the end of the transaction, for changes of tables that refer to others.
const ALLOWED: [&str; 9] = [
    "table_info",
    "table_xinfo",
    "table_list",
    "index_list",
    "index_info",
    "index_xinfo",
    "foreign_key_list",
    "foreign_key_check",
    "defer_foreign_keys",
];

/// Decides about each statement of a connection while that is prepared.
#[derive(Default)]
pub struct Guard {
    /// Whether the statement is the node's own.
    is_open: AtomicBool,
    denied: Mutex<Option<DeniedAction>>,
}

/// What was denied last.
#[derive(Clone, Copy)]
enum DeniedAction {
    Attach,
    Pragma,
    Transaction,
    Extension,
    Migrations,
    Temporary,
    Unknown,
}

impl Guard {
    /// Puts a guard on a connection.
    pub fn on(connection: &Connection) -> rusqlite::Result<Arc<Self>> {
        let guard = Arc::new(Self::default());
        let asked = guard.clone();
        connection.authorizer(Some(move |context: AuthContext<'_>| asked.authorize(context.action)))?;
        Ok(guard)
    }

    /// Does something that scripts may not.
    pub fn open<T>(&self, work: impl FnOnce() -> T) -> T {
        self.is_open.store(true, Ordering::Relaxed);
        let done = work();
        self.is_open.store(false, Ordering::Relaxed);
        done
    }

    /// Explains why a statement was not authorized.
    pub fn explain(&self) -> SqlError {
        let denied = self.denied.lock().unwrap_or_else(PoisonError::into_inner).take();
        let (message, hint) = match denied.unwrap_or(DeniedAction::Unknown) {
            DeniedAction::Attach => {
                ("scripts cannot attach or copy database files", "another database is another grant: `[sql] database = \"…\"`")
            }
            DeniedAction::Pragma => {
                ("scripts cannot use this `PRAGMA`", "those that show tables can be read, such as `PRAGMA table_info(notes)`")
            }
            DeniedAction::Transaction => (
                "scripts cannot begin or end a transaction by a statement",
                "use `sql::transaction(|tx| …)`, which commits when its function returns and rolls back when it throws",
            ),
            DeniedAction::Extension => ("scripts cannot load extensions", "write it in SQL, or compute it in the script"),
            DeniedAction::Migrations => {
                ("scripts cannot change what is known about migrations", "a new migration is a file of the source (docs/sql.md)")
            }
            DeniedAction::Temporary => ("scripts cannot make temporary tables", "no session outlasts its statement; use a `WITH`"),
            DeniedAction::Unknown => {
                ("scripts cannot run this statement", "queries, changes of rows, and changes of tables and indexes can be run")
            }
        };
        SqlError::new(SqlErrorKind::Denied, message).code("42501").hint(hint)
    }

    fn authorize(&self, action: AuthAction<'_>) -> Authorization {
        let denied = match action {
            _ if self.is_open.load(Ordering::Relaxed) => return Authorization::Allow,
            AuthAction::Attach { .. } | AuthAction::Detach { .. } => DeniedAction::Attach,
            AuthAction::Transaction { .. } | AuthAction::Savepoint { .. } => DeniedAction::Transaction,
            AuthAction::Function { function_name } if function_name.eq_ignore_ascii_case("load_extension") => DeniedAction::Extension,
            AuthAction::Insert { table_name: TABLE }
            | AuthAction::Update { table_name: TABLE, .. }
            | AuthAction::Delete { table_name: TABLE }
            | AuthAction::DropTable { table_name: TABLE }
            | AuthAction::AlterTable { table_name: TABLE, .. } => DeniedAction::Migrations,
            AuthAction::Pragma { pragma_name, .. } if ALLOWED.iter().any(|name| name.eq_ignore_ascii_case(pragma_name)) => {
                return Authorization::Allow;
            }
            AuthAction::CreateTempTable { .. }
            | AuthAction::CreateTempIndex { .. }
            | AuthAction::CreateTempTrigger { .. }
            | AuthAction::CreateTempView { .. } => DeniedAction::Temporary,
            AuthAction::Pragma { .. } => DeniedAction::Pragma,
            AuthAction::Unknown { .. } => DeniedAction::Unknown,
            _ => return Authorization::Allow,
        };
        *self.denied.lock().unwrap_or_else(PoisonError::into_inner) = Some(denied);
        Authorization::Deny
    }
}
