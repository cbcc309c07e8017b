//! Tokens: their names, hashes and scopes.

use std::time::Duration;

use sqlx::FromRow;

use super::{
    Store, StoreError, audit,
    batch::WriteBatch,
    columns::columns,
    database::{change, read},
};
use crate::{
    access::{Token, TokenHash},
    audit::Record,
};

/// The shortest time between two notes of a token's use, so that not every request writes.
const NOTE_INTERVAL: Duration = Duration::from_secs(60);

impl Store {
    /// Keeps a new token, and writes down who made it. Returns whether its name was free.
    pub async fn create_token(&self, token: &Token, hash: &TokenHash, record: &Record) -> Result<bool, StoreError> {
        let mut batch = WriteBatch::default();
        batch.push(
            concat!("INSERT INTO tokens (", columns!(tokens), ") VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (name) DO NOTHING"),
            vec![
                token.name.clone().into(),
                hash.as_str().to_owned().into(),
                token.scope.to_string().into(),
                token.functions.as_ref().map(ToString::to_string).into(),
                token.created_us.into(),
                token.expires_us.into(),
                token.last_used_us.into(),
            ],
        );
        audit::add_if_hash(&mut batch, record, hash.as_str());
        self.write(batch).await.map_err(StoreError::query("create a token"))?;
        let made: Option<String> =
            read!(self, pool => sqlx::query_scalar("SELECT name FROM tokens WHERE hash = $1").bind(hash.as_str()).fetch_optional(pool))
                .map_err(StoreError::query("create a token"))?;
        Ok(made.is_some())
    }

    /// Returns every token by name, expired ones too.
    pub async fn tokens(&self) -> Result<Vec<Token>, StoreError> {
        let rows: Vec<TokenRow> = read!(self, pool => sqlx::query_as(concat!("SELECT ", columns!(tokens), " FROM tokens")).fetch_all(pool))
            .map_err(StoreError::query("read the tokens"))?;
        let mut tokens = rows.into_iter().map(Token::try_from).collect::<Result<Vec<_>, _>>()?;
        // Sorted here and not in SQL: databases may sort texts by the rules of a language.
        tokens.sort_unstable_by(|a, b| a.name.cmp(&b.name));
        Ok(tokens)
    }

    /// Removes a token, and writes down who removed it. Returns whether there was one of this name.
    pub async fn revoke_token(&self, name: &str, record: &Record) -> Result<bool, StoreError> {
        let known: Option<String> =
            read!(self, pool => sqlx::query_scalar("SELECT name FROM tokens WHERE name = $1").bind(name).fetch_optional(pool))
                .map_err(StoreError::query("look for a token"))?;
        if known.is_none() {
            return Ok(false);
        }
        let mut batch = WriteBatch::default();
        audit::add_if_name(&mut batch, record, name);
        batch.push("DELETE FROM tokens WHERE name = $1", vec![name.to_owned().into()]);
        self.write(batch).await.map_err(StoreError::query("revoke a token"))?;
        Ok(true)
    }

    /// Returns the newest tokens with their hashes, at most `limit`. Rows that cannot be read are left out.
    pub async fn hashed_tokens(&self, limit: u32) -> Result<Vec<(TokenHash, Token)>, StoreError> {
        let rows: Vec<TokenRow> = read!(self, pool => sqlx::query_as(concat!(
            "SELECT ", columns!(tokens), " FROM tokens ORDER BY created_us DESC LIMIT $1",
        ))
        .bind(i64::from(limit))
        .fetch_all(pool))
        .map_err(StoreError::query("read the tokens"))?;
        Ok(rows.into_iter().filter_map(|row| Some((TokenHash::kept(row.hash.clone()), Token::try_from(row).ok()?))).collect())
    }

    /// Returns the token with this hash, if it has not expired, and notes that it was used.
    pub async fn token_by_hash(&self, hash: &TokenHash, now_us: i64) -> Result<Option<Token>, StoreError> {
        let row: Option<TokenRow> = read!(self, pool => sqlx::query_as(concat!(
            "SELECT ", columns!(tokens), " FROM tokens WHERE hash = $1 AND (expires_us IS NULL OR expires_us > $2)",
        ))
        .bind(hash.as_str())
        .bind(now_us)
        .fetch_optional(pool))
        .map_err(StoreError::query("look up a token"))?;
        let Some(row) = row else { return Ok(None) };
        let token = Token::try_from(row)?;
        let stale_us = now_us.saturating_sub(NOTE_INTERVAL.as_micros() as i64);
        if token.last_used_us.is_none_or(|last| last < stale_us) {
            self.note_use(&token.name, now_us).await;
        }
        Ok(Some(token))
    }

    /// Notes when a token was used. If that cannot be written, the owner gets in all the same.
    async fn note_use(&self, name: &str, now_us: i64) {
        let noted = change!(self, pool => async {
            sqlx::query("UPDATE tokens SET last_used_us = $1 WHERE name = $2").bind(now_us).bind(name).execute(pool).await.map(drop)
        });
        if let Err(error) = noted {
            tracing::warn!(token.name = name, "cannot note the use of the token `{name}`: {error}");
        }
    }
}

#[derive(FromRow)]
struct TokenRow {
    name: String,
    hash: String,
    scope: String,
    functions: Option<String>,
    created_us: i64,
    expires_us: Option<i64>,
    last_used_us: Option<i64>,
}

impl TryFrom<TokenRow> for Token {
    type Error = StoreError;

    fn try_from(row: TokenRow) -> Result<Self, StoreError> {
        let scope = row.scope.parse().map_err(|error| StoreError::bad_row("tokens", &row.name, error))?;
        let functions = row.functions.map(|prefix| prefix.parse()).transpose();
        let functions = functions.map_err(|error| StoreError::bad_row("tokens", &row.name, error))?;
        Ok(Self {
            name: row.name,
            scope,
            functions,
            created_us: row.created_us,
            expires_us: row.expires_us,
            last_used_us: row.last_used_us,
        })
    }
}
