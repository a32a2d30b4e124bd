/** What travels between the page and the server, as `docs/protocol.md` gives it. Never loaded; only checked against. */

export interface User { id: string; username: string; email: string; roles: string[]; created_at: string }

export interface Instance {
  name: string; version: string; registration: "open" | "closed"; limits: { max_upload_bytes?: number };
}

export interface Refusal { code: string; detail: string }

export type TrackState = "processing" | "playable" | "published" | "failed" | "cancelled";

export interface Download { format: "original" | "mp3" | "opus"; state: "none" | "making" | "ready" | "failed"; size_bytes: number | null }

export interface Track {
  id: string; title: string; artist: string; owner: { id: string; name: string }; state: TrackState;
  album: string; track_number: number | null; genre: string; artwork_url: string | null;
  duration_ms: number | null; created_at: string; error: Refusal | null; peaks_url: string | null; plays: number;
  visibility: "public" | "unlisted" | "followers" | "private"; release_at: string | null;
  downloads: "nobody" | "followers" | "everybody";
  bpm: number | null; key: string | null;
}

export type JobState =
  "queued" | "probing" | "encoding" | "packaging" | "published" | "running" | "done" | "failed" | "cancelled";

export interface Job { id: string; type: string; state: JobState; progress: number; error: Refusal | null; sounds_like: string | null }

export interface Playback { hls_url: string; lossless_url: string; dash_url: string | null; expires_at: string; duration_ms: number | null; live: boolean }

/** Pairs of signed bytes: the lowest and the highest sample of each stretch of the track. */
export type Peaks = [number, number][];

export interface Room { id: string; kind: string; name: string; seq: number; epoch: string; member_count: number }

export interface Person { id: string; name: string }

export interface SentFile { id: string; filename: string }

export interface Message { message_id: string; seq: number; at: string; author: Person; text: string }

export interface Frame { t: string; id?: string; room?: string; seq?: number; at?: string; d?: any }

export interface Page<T> { data: T[]; next_cursor: string | null }
