//! Several users in one pool of blocks: whose rows lie where, who waits.
//!
//! A block holds [`BLOCK_ROWS`] rows of one user. Each frame every admitted
//! user decodes one token; a full last block takes a free one; a user is let
//! in only when blocks for the prompt are free, else the user waits until
//! somebody leaves (first come, first served).

use serde_json::{Value, json};

/// Rows of one block.
pub const BLOCK_ROWS: u64 = 4;
/// Blocks of the pool.
pub const BLOCKS: usize = 12;

/// A user who comes at `at` with a prompt, and leaves once `length` tokens
/// are held.
struct User {
    name: char,
    at: u64,
    prompt: u64,
    length: u64,
}

const USERS: [User; 4] =
    [user('A', 0, 9, 16), user('B', 1, 7, 14), user('C', 3, 11, 16), user('D', 5, 8, 13)];

const fn user(name: char, at: u64, prompt: u64, length: u64) -> User {
    User { name, at, prompt, length }
}

/// Answers `{"row_bytes": n}` (32 where it is missing) with [`run`].
pub fn answer(request: &str) -> Value {
    let request: Value = serde_json::from_str(request).unwrap_or(Value::Null);
    let row_bytes = request.get("row_bytes").and_then(Value::as_u64);
    run(row_bytes.unwrap_or(32))
}

/// Every frame until the pool is empty again: for each user the tokens and blocks
/// held and a state (`coming`, `waiting`, `running`, `done`), and for each block
/// its user and rows in use, or null where it is free.
pub fn run(row_bytes: u64) -> Value {
    let mut held: Vec<u64> = vec![0; USERS.len()];
    let mut done = vec![false; USERS.len()];
    let mut blocks: Vec<Option<usize>> = vec![None; BLOCKS];
    let mut frames = Vec::new();
    for now in 0..64 {
        let mut waits = false;
        for (u, user) in USERS.iter().enumerate() {
            let (Some(rows), Some(over)) = (held.get_mut(u), done.get_mut(u)) else {
                continue;
            };
            if *over || user.at > now {
                continue;
            }
            if *rows >= user.length {
                free(&mut blocks, u);
                (*rows, *over) = (0, true);
            } else if *rows > 0 {
                if take(&mut blocks, u, *rows + 1) {
                    *rows += 1;
                }
            } else if !waits && take(&mut blocks, u, user.prompt) {
                *rows = user.prompt;
            } else {
                waits = true;
            }
        }
        frames.push(frame(now, &held, &done, &blocks, row_bytes));
        if done.iter().all(|over| *over) {
            break;
        }
    }
    json!({
        "block_rows": BLOCK_ROWS, "blocks": BLOCKS,
        "block_bytes": BLOCK_ROWS.saturating_mul(row_bytes),
        "frames": frames,
    })
}

fn free(blocks: &mut [Option<usize>], user: usize) {
    for block in blocks.iter_mut().filter(|b| **b == Some(user)) {
        *block = None;
    }
}

/// Takes as many free blocks as `rows` rows still need; all or none.
fn take(blocks: &mut [Option<usize>], user: usize, rows: u64) -> bool {
    let own = blocks.iter().filter(|b| **b == Some(user)).count();
    let need = (rows.div_ceil(BLOCK_ROWS) as usize).saturating_sub(own);
    if blocks.iter().filter(|b| b.is_none()).count() < need {
        return false;
    }
    for block in blocks.iter_mut().filter(|b| b.is_none()).take(need) {
        *block = Some(user);
    }
    true
}

fn frame(now: u64, held: &[u64], done: &[bool], blocks: &[Option<usize>], row_bytes: u64) -> Value {
    let users: Vec<Value> = USERS
        .iter()
        .zip(held.iter().zip(done))
        .map(|(user, (rows, over))| {
            let state = match (rows, over) {
                (_, true) => "done",
                (0, _) if user.at > now => "coming",
                (0, _) => "waiting",
                _ => "running",
            };
            json!({
                "name": user.name.to_string(), "state": state, "rows": rows,
                "blocks": rows.div_ceil(BLOCK_ROWS),
                "needs_blocks": user.prompt.div_ceil(BLOCK_ROWS),
                "bytes": rows.saturating_mul(row_bytes),
            })
        })
        .collect();
    let mut left: Vec<u64> = held.to_vec();
    let laid: Vec<Value> = blocks
        .iter()
        .map(|block| {
            let Some(user) = *block else {
                return Value::Null;
            };
            let rows = left.get_mut(user).map_or(0, |rows| {
                let here = (*rows).min(BLOCK_ROWS);
                *rows -= here;
                here
            });
            let name = USERS.get(user).map(|u| u.name.to_string());
            json!({"user": name, "rows": rows})
        })
        .collect();
    let free = blocks.iter().filter(|b| b.is_none()).count();
    json!({"now": now, "users": users, "blocks": laid, "free": free})
}

#[cfg(test)]
mod tests {
    use super::{BLOCK_ROWS, BLOCKS, run};
    use serde_json::Value;

    fn frames() -> Vec<Value> {
        run(32)["frames"].as_array().unwrap().clone()
    }

    #[test]
    fn every_users_rows_lie_in_blocks_of_that_user_alone() {
        for frame in frames() {
            let blocks = frame["blocks"].as_array().unwrap();
            assert_eq!(blocks.len(), BLOCKS);
            for user in frame["users"].as_array().unwrap() {
                let own: Vec<u64> = blocks
                    .iter()
                    .filter(|b| b["user"] == user["name"])
                    .map(|b| b["rows"].as_u64().unwrap())
                    .collect();
                let rows = user["rows"].as_u64().unwrap();
                assert_eq!(own.iter().sum::<u64>(), rows);
                assert_eq!(own.len() as u64, rows.div_ceil(BLOCK_ROWS));
                assert_eq!(user["blocks"], own.len());
            }
        }
    }

    #[test]
    fn the_pool_fills_somebody_waits_and_everybody_is_served() {
        let frames = frames();
        let state = |frame: &Value, u: usize| frame["users"][u]["state"].clone();
        assert!(frames.iter().any(|f| f["free"] == 0));
        let waits: Vec<&Value> = frames.iter().filter(|f| state(f, 3) == "waiting").collect();
        assert!(!waits.is_empty());
        // a prompt of 8 rows needs 2 blocks of 4
        assert!(waits.iter().all(|f| f["free"].as_u64().unwrap() < 2));
        // nobody who runs is ever held up
        for pair in frames.windows(2) {
            for u in 0..4 {
                let rows = |f: &Value| f["users"][u]["rows"].as_u64().unwrap();
                if state(&pair[0], u) == "running" && state(&pair[1], u) == "running" {
                    assert_eq!(rows(&pair[1]), rows(&pair[0]) + 1);
                }
            }
        }
        let last = frames.last().unwrap();
        assert!((0..4).all(|u| state(last, u) == "done"));
        assert_eq!(last["free"], BLOCKS as u64);
    }
}
