/** What ops staff get of a node, as `docs/protocol.md` gives it. Never loaded; only checked against. */

export type Unhealthy =
  "crashed" | "hung" | "mailbox_full" | "waiting" | "intensity" | "down" | "restarted" | "suspended" | "draining";

export interface Below {
  actors: number; unhealthy: number; mailbox: number; messages: number; errors: number; restarts: number; head_age_ms: number;
}

/** One actor. In a live frame `parent` stands for where it hangs; in an answer `children` do. */
export interface Actor {
  path: string; name: string; class: string; state: string; unhealthy: Unhealthy[];
  mailbox: number; mailbox_limit: number; mailbox_high_water: number; head_age_ms: number;
  messages: number; messages_out: number; errors: number; dropped: number; restarts: number;
  busy_ms: number; current: string; current_ms: number; started_at: string; last_exit: string | null; restart: string;
  supervision: { strategy: string; restarts_used: number; restarts_allowed: number; period_seconds: number } | null;
  process: { pid: number; cpu_seconds: number; rss_bytes: number } | null;
  child_count: number; below: Below; parent?: string | null; children?: Actor[];
}

export interface Block { at: string; seconds: number; at_work: string; stack: string }

export interface BusFigures {
  is_up: boolean; rooms: number; told: number; heard: number; dropped: number; unreadable: number; losses: number;
}

export interface NodeFigures {
  node_id: string; host: string; version: string; pid: number; phase: string; started_at: string;
  actors: number; messages: number; restarts: number; errors: number; run_queue: number;
  loop_lag_ms: number; loop_lag_max_ms: number; gc_pause_max_ms: number; cpu_seconds: number; rss_bytes: number;
  open_files: number; open_files_limit: number; dead_letters: number; crashes: number;
  database_connections: number; database_connections_limit: number; checks: Record<string, boolean>;
  connections: number; blocks?: Block[]; bus?: BusFigures | null;
}

export interface TreeFrame { full: boolean; rev: number; at: string; node: NodeFigures; actors: Actor[]; gone: string[] }

export interface Trace {
  trace_id: string; path: string; started_at: string; ends_at: string; limit: number; seen: number; kept: number; why_ended: string;
}

export interface TracedMessage {
  number: number; type: string; sender: string; request_id: string; at: string; wait_ms: number; run_ms: number;
  outcome: string; body: string;
}

export interface Inspection {
  actor: Actor; state: Record<string, string>;
  recent: { type: string; at: string; wait_ms: number; run_ms: number }[]; recent_since: string;
  message_types: { type: string; count: number; run_ms: number }[];
  handlers: { type: string; running_ms: number; stack: string[] }[];
  exits: { at: string; kind: string; detail: string; traceback: string }[];
  traces: Trace[]; watched_by: string[];
}

export interface DeadLetter {
  letter_id: number; at: string; target: string; sender: string; type: string; reason: string; request_id: string;
  body: string; can_replay: boolean;
}

export interface CrashGroup {
  fingerprint: string; class: string; error_type: string; error: string; command: string; count: number;
  first_at: string; last_at: string; last_path: string;
}

export interface Crash { at: string; path: string; command: string; error: string; request_id: string; traceback: string }

export interface OpenConnection {
  connection_id: number; user: { id: string; name: string } | null; address: string; opened_at: string; idle_ms: number;
  queue_bytes: number;
}

export interface Act {
  act_id: string; at: string; actor_id: string | null; actor_name: string; via: string; action: string; target: string;
  reason: string; request_id: string;
}
