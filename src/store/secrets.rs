//! Secrets as they are kept: sealed. Nothing here can open one.

use sqlx::FromRow;

use super::{Store, StoreError, audit, batch::WriteBatch, columns::columns, database::read};
use crate::{audit::Record, function::grants::secret::SecretName};

/// A secret as it is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SealedSecret {
    /// Its name.
    pub name: SecretName,
    /// The fingerprint of the key that both values are sealed with.
    pub sealed_by: String,
    /// The value, sealed for this name.
    pub value: Vec<u8>,
    /// When the value was set, in microseconds since 1970.
    pub set_us: i64,
    /// The value before, while it is still accepted.
    pub previous: Option<PreviousValue>,
}

/// The value that a secret had before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PreviousValue {
    /// The value, sealed.
    pub value: Vec<u8>,
    /// Until then it is accepted, in microseconds since 1970.
    pub until_us: i64,
}

impl Store {
    /// Returns every secret, in order of name.
    pub async fn secrets(&self) -> Result<Vec<SealedSecret>, StoreError> {
        let rows: Vec<SecretRow> =
            read!(self, pool => sqlx::query_as(concat!("SELECT ", columns!(secrets), " FROM secrets")).fetch_all(pool))
                .map_err(StoreError::query("read the secrets"))?;
        let mut secrets = rows.into_iter().map(SealedSecret::try_from).collect::<Result<Vec<_>, _>>()?;
        // Sorted here and not in SQL: databases may sort texts by the rules of a language.
        secrets.sort_unstable_by(|one, other| one.name.cmp(&other.name));
        Ok(secrets)
    }

    /// Keeps these secrets in the place of those with the same names, and writes down who set them: all, or none.
    pub async fn put_secrets(&self, secrets: &[SealedSecret], record: &Record) -> Result<(), StoreError> {
        let mut batch = WriteBatch::default();
        for secret in secrets {
            batch.push("DELETE FROM secrets WHERE name = $1", vec![secret.name.to_string().into()]);
            batch.push(
                concat!("INSERT INTO secrets (", columns!(secrets), ") VALUES ($1, $2, $3, $4, $5, $6)"),
                vec![
                    secret.name.to_string().into(),
                    secret.sealed_by.clone().into(),
                    secret.value.clone().into(),
                    secret.set_us.into(),
                    secret.previous.as_ref().map(|previous| previous.value.clone()).into(),
                    secret.previous.as_ref().map(|previous| previous.until_us).into(),
                ],
            );
        }
        audit::add(&mut batch, record);
        self.write(batch).await.map_err(StoreError::query("set a secret"))
    }

    /// Removes secrets, and writes down who removed them.
    pub async fn remove_secrets(&self, names: &[SecretName], record: &Record) -> Result<(), StoreError> {
        let mut batch = WriteBatch::default();
        for name in names {
            batch.push("DELETE FROM secrets WHERE name = $1", vec![name.to_string().into()]);
        }
        audit::add(&mut batch, record);
        self.write(batch).await.map_err(StoreError::query("remove a secret"))
    }

    /// Forgets previous values that are not accepted any more at this time.
    pub async fn forget_previous_secrets(&self, now_us: i64) -> Result<(), StoreError> {
        let mut batch = WriteBatch::default();
        batch.push("UPDATE secrets SET previous = NULL, previous_until_us = NULL WHERE previous_until_us <= $1", vec![now_us.into()]);
        self.write(batch).await.map_err(StoreError::query("forget previous values of secrets"))
    }
}

#[derive(FromRow)]
struct SecretRow {
    name: String,
    sealed_by: String,
    value: Vec<u8>,
    set_us: i64,
    previous: Option<Vec<u8>>,
    previous_until_us: Option<i64>,
}

impl TryFrom<SecretRow> for SealedSecret {
    type Error = StoreError;

    fn try_from(row: SecretRow) -> Result<Self, StoreError> {
        let name = row.name.parse().map_err(|error| StoreError::bad_row("secrets", &row.name, error))?;
        let previous = row.previous.zip(row.previous_until_us).map(|(value, until_us)| PreviousValue { value, until_us });
        Ok(Self { name, sealed_by: row.sealed_by, value: row.value, set_us: row.set_us, previous })
    }
}
