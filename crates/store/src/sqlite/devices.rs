//! Devices in SQLite, served from memory.

use async_trait::async_trait;
use countersign_core::{AppId, DeviceId, PatchLevel, Posture, Thumbprint};
use sqlx::sqlite::SqliteRow;

use crate::{
    devices::{Device, DeviceState, Devices, LivePosture, PostureError},
    sqlite::{
        database::{Sqlite, failed},
        row::{BOOT_STATES, LEVELS, PLATFORMS, Reader, TIERS, signed, word_of},
    },
    unavailable::Unavailable,
};

const STATES: [(DeviceState, &str); 2] = [(DeviceState::Active, "active"), (DeviceState::Revoked, "revoked")];

fn device(row: &SqliteRow) -> Result<Device, Unavailable> {
    let row = Reader::new(row, "devices");
    let boot_state = row.maybe_text("boot_state")?.map(|_| row.word("boot_state", &BOOT_STATES)).transpose()?;
    Ok(Device {
        posture: Posture {
            device: row.parsed("id", DeviceId::parse)?,
            key: row.key("key")?,
            platform: row.word("platform", &PLATFORMS)?,
            tier: row.word("tier", &TIERS)?,
            established_at: row.time("established_at")?,
            security_level: row.word("security_level", &LEVELS)?,
            bootloader_locked: row.maybe_number("bootloader_locked")?.map(|_| row.flag("bootloader_locked")).transpose()?,
            boot_state,
            os_version: row.maybe_number("os_version")?,
            patch_level: row.maybe_number("patch_level")?.map(|_| row.numbered("patch_level", PatchLevel::from_number)).transpose()?,
            app: row.maybe_text("app")?.map(|_| row.parsed("app", AppId::parse)).transpose()?,
            app_version: row.maybe_number("app_version")?,
        },
        key_jwk: row.text("key_jwk")?,
        name: row.text("name")?,
        enrolled_at: row.time("enrolled_at")?,
        state: row.word("state", &STATES)?,
    })
}

impl Sqlite {
    async fn load_device(&self, id: &DeviceId) -> Result<Option<Device>, Unavailable> {
        if let Some(device) = self.devices.get(id) {
            return Ok(Some(device));
        }
        let gate = self.devices.gate().await;
        let row = sqlx::query("SELECT * FROM devices WHERE id = $1").bind(id.as_str()).fetch_optional(&self.writer).await;
        let found = row.map_err(failed("reading a device"))?.as_ref().map(device).transpose()?;
        if let Some(device) = &found {
            gate.put(id.clone(), device.clone());
        }
        Ok(found)
    }
}

#[async_trait]
impl Devices for Sqlite {
    async fn enrol(&self, new: Device) -> Result<Device, Unavailable> {
        let gate = self.devices.gate().await;
        let posture = &new.posture;
        // What is enrolled again changes, and under an earlier id.
        if let Some(earlier) = self.find_by_key(&posture.key).await? {
            gate.forget(&earlier.posture.device);
        }
        // One statement, so that of two enrolments of one key one makes the device and the other finds it.
        let row = sqlx::query(
            "INSERT INTO devices (id, key, key_jwk, name, enrolled_at, state, platform, tier, established_at, security_level, \
             bootloader_locked, boot_state, os_version, patch_level, app, app_version) \
             VALUES ($1, $2, $3, $4, $5, 'active', $6, $7, $8, $9, $10, $11, $12, $13, $14, $15) \
             ON CONFLICT (key) DO UPDATE SET name = excluded.name, platform = excluded.platform, tier = excluded.tier, \
             established_at = excluded.established_at, security_level = excluded.security_level, \
             bootloader_locked = excluded.bootloader_locked, boot_state = excluded.boot_state, os_version = excluded.os_version, \
             patch_level = excluded.patch_level, app = excluded.app, app_version = excluded.app_version \
             RETURNING *",
        )
        .bind(posture.device.as_str())
        .bind(posture.key.as_bytes().as_slice())
        .bind(&new.key_jwk)
        .bind(&new.name)
        .bind(signed(new.enrolled_at.0))
        .bind(word_of(&posture.platform, &PLATFORMS))
        .bind(word_of(&posture.tier, &TIERS))
        .bind(signed(posture.established_at.0))
        .bind(word_of(&posture.security_level, &LEVELS))
        .bind(posture.bootloader_locked)
        .bind(posture.boot_state.map(|state| word_of(&state, &BOOT_STATES)))
        .bind(posture.os_version.map(signed))
        .bind(posture.patch_level.map(|patch| signed(patch.number())))
        .bind(posture.app.as_ref().map(AppId::as_str))
        .bind(posture.app_version.map(signed))
        .fetch_one(&self.writer)
        .await
        .map_err(failed("enrolling a device"))?;
        let enrolled = device(&row)?;
        gate.put(enrolled.posture.device.clone(), enrolled.clone());
        Ok(enrolled)
    }

    async fn posture(&self, id: &DeviceId) -> Result<LivePosture, PostureError> {
        LivePosture::of(self.load_device(id).await.map_err(PostureError::Unavailable)?)
    }

    async fn find(&self, id: &DeviceId) -> Result<Option<Device>, Unavailable> {
        self.load_device(id).await
    }

    async fn find_by_key(&self, key: &Thumbprint) -> Result<Option<Device>, Unavailable> {
        let row = sqlx::query("SELECT * FROM devices WHERE key = $1").bind(key.as_bytes().as_slice()).fetch_optional(&self.writer).await;
        row.map_err(failed("reading a device"))?.as_ref().map(device).transpose()
    }

    async fn list(&self, count_max: u32) -> Result<Vec<Device>, Unavailable> {
        let rows = sqlx::query("SELECT * FROM devices ORDER BY enrolled_at DESC, rowid DESC LIMIT $1")
            .bind(count_max)
            .fetch_all(&self.readers)
            .await;
        rows.map_err(failed("listing devices"))?.iter().map(device).collect()
    }

    async fn revoke(&self, id: &DeviceId) -> Result<Option<Device>, Unavailable> {
        let gate = self.devices.gate().await;
        gate.forget(id);
        let row = sqlx::query("UPDATE devices SET state = 'revoked' WHERE id = $1 RETURNING *")
            .bind(id.as_str())
            .fetch_optional(&self.writer)
            .await;
        let revoked = row.map_err(failed("revoking a device"))?.as_ref().map(device).transpose()?;
        if let Some(device) = &revoked {
            gate.put(id.clone(), device.clone());
        }
        Ok(revoked)
    }
}
