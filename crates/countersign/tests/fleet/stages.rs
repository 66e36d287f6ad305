//! Requirements in stages, as an operator writes them and as the tests know them: by one table, and by nothing of the product.

use countersign_core::{Stage, UserId};

use Stage::{Enforce, Limit, Observe};

/// The app that most people use, and the one that asks for more.
pub const SHOP: &str = "com.example.shop";
pub const BANK: &str = "com.example.bank";
/// An app that no configuration has any more.
pub const GONE: &str = "com.example.gone";

/// Each requirement, its own keys, and its roll-out where not all are at one stage: stage, share, and stage for the others.
const RULES: &[(&str, &str, (Stage, u8, Stage))] = &[
    ("app_version", "android = 310\nios = \"3.1.0\"\n", (Enforce, 100, Enforce)),
    ("boot", "states = [\"verified\"]\n", (Limit, 40, Observe)),
    ("bootloader_locked", "", (Enforce, 10, Limit)),
    ("debugger", "", (Observe, 100, Observe)),
    ("emulator", "", (Enforce, 50, Observe)),
    ("evidence_age", "max = \"30d\"\n", (Limit, 100, Limit)),
    ("hooked", "", (Enforce, 1, Limit)),
    ("integrity", "min = \"device\"\n", (Observe, 100, Observe)),
    ("no_development", "", (Enforce, 99, Limit)),
    ("not_revoked", "", (Enforce, 100, Enforce)),
    ("os_version", "android = \"13\"\nios = \"17\"\n", (Limit, 25, Observe)),
    ("patch_level", "min = \"2026-05\"\n", (Enforce, 25, Limit)),
    ("risk_metric", "max = 5\n", (Limit, 75, Observe)),
    ("rooted", "", (Enforce, 60, Limit)),
    ("security_level", "min = \"trusted_environment\"\n", (Enforce, 0, Limit)),
    ("tampered", "", (Limit, 100, Limit)),
];

/// Three sets of requirements.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Set {
    AllEnforce,
    AllObserve,
    Mixed,
}

impl Set {
    pub const ALL: [Self; 3] = [Self::AllEnforce, Self::AllObserve, Self::Mixed];

    fn rollout(self, client: &str, rule: &str) -> (Stage, u8, Stage) {
        let mixed = RULES.iter().find(|(name, ..)| *name == rule).expect("a rule").2;
        match self {
            Self::AllEnforce => (Enforce, 100, Enforce),
            Self::AllObserve => (Observe, 100, Observe),
            Self::Mixed if client == BANK && rule == "hooked" => (Enforce, 100, Enforce),
            Self::Mixed => mixed,
        }
    }

    /// The stage of a rule for a person, or while nobody is signed in. Of an app that was forgotten everything is refused.
    pub fn stage(self, client: &str, rule: &str, user: Option<&UserId>) -> Stage {
        let (stage, percent, otherwise) = self.rollout(client, rule);
        match user {
            _ if self.in_grace(rule) => Observe,
            Some(user) if share(user) < u64::from(percent) => stage,
            Some(_) => otherwise,
            None if percent == 100 => stage,
            None => stage.min(otherwise),
        }
    }

    /// The same if all were enforced.
    pub fn stage_enforced(self, rule: &str) -> Stage {
        if self.in_grace(rule) { Observe } else { Enforce }
    }

    fn in_grace(self, rule: &str) -> bool {
        self == Self::Mixed && rule == "app_version"
    }

    /// As an operator writes it.
    pub fn config(self, port: u16) -> String {
        let mut text = format!(
            "public_url = \"https://localhost:{port}\"\nupstream = \"http://127.0.0.1:9\"\n[metrics]\nlisten = \"127.0.0.1:0\"\n\
             [app.\"{SHOP}\"]\nios = {{ team = \"ABCDE12345\", bundle = \"{SHOP}\" }}\n\
             [app.\"{BANK}\"]\nios = {{ team = \"ABCDE12345\", bundle = \"{BANK}\" }}\n"
        );
        if self == Self::Mixed {
            text += &format!("[app.\"{BANK}\".require.hooked]\nmode = \"enforce\"\n");
        }
        text += "[device]\nstatus_list = \"status.json\"\n";
        for (name, keys, _) in RULES {
            let (stage, percent, otherwise) = self.rollout(SHOP, name);
            text += &format!("[device.require.{name}]\n{keys}mode = \"{}\"\n", stage.as_str());
            if percent < 100 {
                text += &format!("percent = {percent}\notherwise = \"{}\"\n", otherwise.as_str());
            }
            if self.in_grace(name) {
                text += "grace_until = \"2026-12-01\"\n";
            }
        }
        text
    }
}

/// To which hundredth somebody belongs: FNV-1a over the id, and of that the upper half.
fn share(user: &UserId) -> u64 {
    let hash = user.as_str().bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
    (hash >> 32) % 100
}
