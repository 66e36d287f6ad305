//! Devices in SQLite, served from memory.

use async_trait::async_trait;
use countersign_core::{AppId, BootKey, CounterWindow, DeviceId, PatchLevel, Posture, RiskMetric, SerialDigest, Thumbprint};
use sqlx::{
    query::Query,
    sqlite::{SqliteArguments, SqliteRow},
};

use crate::{
    changes::Change,
    devices::{ChangeError, Device, DeviceChange, DeviceState, Devices, LivePosture, PostureError, VouchingKey},
    sqlite::{
        database::{Sqlite, failed},
        row::{BOOT_STATES, LEVELS, PLATFORMS, Reader, SOURCES, TIERS, signed, word_of},
        said,
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
            by: row.word("vouched_by", &SOURCES)?,
            established_at: row.time("established_at")?,
            security_level: row.word("security_level", &LEVELS)?,
            bootloader_locked: row.maybe_number("bootloader_locked")?.map(|_| row.flag("bootloader_locked")).transpose()?,
            boot_state,
            boot_key: row.maybe_bytes("boot_key")?.map(|bytes| BootKey::new(bytes).ok_or_else(|| row.broken())).transpose()?,
            os_version: row.maybe_number("os_version")?,
            patch_level: row.maybe_number("patch_level")?.map(|_| row.numbered("patch_level", PatchLevel::from_number)).transpose()?,
            app: row.maybe_text("app")?.map(|_| row.parsed("app", AppId::parse)).transpose()?,
            app_version: row.maybe_number("app_version")?,
            certificates: certificates(&row)?,
            verdict: row.maybe_text("verdict")?.map(|text| said::verdict(&text).ok_or_else(|| row.broken())).transpose()?,
            report: row.maybe_text("report")?.map(|text| said::report(&text).ok_or_else(|| row.broken())).transpose()?,
            risk_metric: risk_metric(&row)?,
        },
        key_jwk: row.text("key_jwk")?,
        name: row.text("name")?,
        model: row.maybe_text("model")?,
        vouching: vouching(&row)?,
        enrolled_at: row.time("enrolled_at")?,
        state: row.word("state", &STATES)?,
    })
}

fn certificates(row: &Reader<'_>) -> Result<Vec<SerialDigest>, Unavailable> {
    let bytes = row.bytes("certificates")?;
    match bytes.as_chunks::<16>() {
        // Left-over bytes mean a damaged row; the digests are never guessed at.
        (digests, []) => Ok(digests.iter().copied().map(SerialDigest).collect()),
        _ => Err(row.broken()),
    }
}

fn risk_metric(row: &Reader<'_>) -> Result<Option<RiskMetric>, Unavailable> {
    let Some(count) = row.maybe_number("risk_count")? else { return Ok(None) };
    Ok(Some(RiskMetric { count: u32::try_from(count).map_err(|_| row.broken())?, at: row.time("risk_at")? }))
}

fn vouching(row: &Reader<'_>) -> Result<Option<VouchingKey>, Unavailable> {
    let Some(jwk) = row.maybe_text("vouching_key")? else { return Ok(None) };
    let highest = u32::try_from(row.number("counter_highest")?).map_err(|_| row.broken())?;
    let seen = row.bytes("counter_seen")?.try_into().map_err(|_| row.broken())?;
    Ok(Some(VouchingKey {
        jwk,
        counters: CounterWindow::from_parts(highest, u128::from_be_bytes(seen)),
        receipt: row.maybe_bytes("vouching_receipt")?,
    }))
}

type Asked<'q> = Query<'q, sqlx::Sqlite, SqliteArguments>;

/// Binds all columns that may change about a device, in the order in which both statements name them.
fn bind<'q>(query: Asked<'q>, device: &'q Device) -> Asked<'q> {
    let posture = &device.posture;
    let certificates: Vec<u8> = posture.certificates.iter().flat_map(|digest| digest.0).collect();
    let counters = device.vouching.as_ref().map(|vouching| vouching.counters.parts());
    query
        .bind(posture.device.as_str())
        .bind(&device.key_jwk)
        .bind(&device.name)
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
        .bind(word_of(&posture.by, &SOURCES))
        .bind(posture.boot_key.as_ref().map(BootKey::as_bytes))
        .bind(certificates)
        .bind(posture.verdict.as_ref().map(said::verdict_text))
        .bind(posture.report.as_ref().map(said::report_text))
        .bind(posture.risk_metric.map(|metric| i64::from(metric.count)))
        .bind(posture.risk_metric.map(|metric| signed(metric.at.0)))
        .bind(device.vouching.as_ref().map(|vouching| vouching.jwk.as_str()))
        .bind(counters.map(|(highest, _)| i64::from(highest)))
        .bind(counters.map(|(_, seen)| seen.to_be_bytes().to_vec()))
        .bind(device.model.as_deref())
        .bind(device.vouching.as_ref().and_then(|vouching| vouching.receipt.as_deref()))
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
        let row = bind(
            sqlx::query(
                "INSERT INTO devices (id, key_jwk, name, platform, tier, established_at, security_level, bootloader_locked, boot_state, \
                 os_version, patch_level, app, app_version, vouched_by, boot_key, certificates, verdict, report, risk_count, risk_at, \
                 vouching_key, counter_highest, counter_seen, model, vouching_receipt, key, enrolled_at, state) \
                 VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22, $23, $24, $25, $26, $27, \
                 'active') \
                 ON CONFLICT (key) DO UPDATE SET platform = excluded.platform, tier = excluded.tier, \
                 established_at = excluded.established_at, security_level = excluded.security_level, \
                 bootloader_locked = excluded.bootloader_locked, boot_state = excluded.boot_state, os_version = excluded.os_version, \
                 patch_level = excluded.patch_level, app = excluded.app, app_version = excluded.app_version, \
                 vouched_by = excluded.vouched_by, boot_key = excluded.boot_key, certificates = excluded.certificates, \
                 verdict = excluded.verdict, report = excluded.report, risk_count = excluded.risk_count, risk_at = excluded.risk_at, \
                 vouching_key = excluded.vouching_key, counter_highest = excluded.counter_highest, counter_seen = excluded.counter_seen, model = excluded.model, \
                 vouching_receipt = excluded.vouching_receipt \
                 RETURNING *",
            ),
            &new,
        )
        .bind(posture.key.as_bytes().as_slice())
        .bind(signed(new.enrolled_at.0))
        .fetch_one(&self.writer)
        .await
        .map_err(failed("enrolling a device"))?;
        let enrolled = device(&row)?;
        gate.put(enrolled.posture.device.clone(), enrolled.clone());
        drop(gate);
        self.changes.announce(Change::Device(enrolled.posture.device.clone()));
        Ok(enrolled)
    }

    async fn posture(&self, id: &DeviceId) -> Result<LivePosture, PostureError> {
        LivePosture::of(self.load_device(id).await.map_err(PostureError::Unavailable)?)
    }

    async fn posture_by_key(&self, key: &Thumbprint) -> Result<LivePosture, PostureError> {
        LivePosture::of(self.find_by_key(key).await.map_err(PostureError::Unavailable)?)
    }

    async fn find(&self, id: &DeviceId) -> Result<Option<Device>, Unavailable> {
        self.load_device(id).await
    }

    async fn find_by_key(&self, key: &Thumbprint) -> Result<Option<Device>, Unavailable> {
        // SECURITY: asked on the connection that writes, so that the answer waits for a change that is still under way.
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

    async fn walk(&self, after: Option<&DeviceId>, count_max: u32) -> Result<Vec<Device>, Unavailable> {
        // Every id is greater than the empty text.
        let rows = sqlx::query("SELECT * FROM devices WHERE id > $1 ORDER BY id LIMIT $2")
            .bind(after.map_or("", DeviceId::as_str))
            .bind(count_max)
            .fetch_all(&self.readers)
            .await;
        rows.map_err(failed("walking through devices"))?.iter().map(device).collect()
    }

    async fn change(&self, id: &DeviceId, change: DeviceChange) -> Result<Device, ChangeError> {
        let _news = self.changes.at_end(Change::Device(id.clone()));
        // The gate lets one writer through, so that what is read is what is changed.
        let gate = self.devices.gate().await;
        let row = sqlx::query("SELECT * FROM devices WHERE id = $1").bind(id.as_str()).fetch_optional(&self.writer).await;
        let found = row.map_err(failed("reading a device"))?.as_ref().map(device).transpose()?.ok_or(ChangeError::Unknown)?;
        let changed = change.apply(found).map_err(ChangeError::Counter)?;
        gate.forget(id);
        let done = bind(
            sqlx::query(
                "UPDATE devices SET key_jwk = $2, name = $3, platform = $4, tier = $5, established_at = $6, security_level = $7, \
                 bootloader_locked = $8, boot_state = $9, os_version = $10, patch_level = $11, app = $12, app_version = $13, \
                 vouched_by = $14, boot_key = $15, certificates = $16, verdict = $17, report = $18, risk_count = $19, risk_at = $20, \
                 vouching_key = $21, counter_highest = $22, counter_seen = $23, model = $24, vouching_receipt = $25 WHERE id = $1",
            ),
            &changed,
        )
        .execute(&self.writer)
        .await;
        done.map_err(failed("changing a device"))?;
        gate.put(id.clone(), changed.clone());
        Ok(changed)
    }

    async fn revoke(&self, id: &DeviceId) -> Result<Option<Device>, Unavailable> {
        let _news = self.changes.at_end(Change::Device(id.clone()));
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
