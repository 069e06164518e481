/* A tracked repository in words: its name, how it stands, how much of it is here. */

import { h } from "./dom.js";
import { KINDS, bytes } from "./words.js";

export const title = (repo) => `${repo.author ? `${repo.author}/` : ""}${repo.repo}`;

export const isOfTheHub = (repo) => repo.source === "hf";

/** What has to be known of it at a glance, the worst first. */
export function states(repo) {
  const told = [
    repo.gone_at && ["Gone at its source", "failed"],
    repo.error_message && ["Error", "failed"],
    repo.work && [atWork(repo.work), "running"],
    repo.update_commit && ["Update known", "running"],
    repo.is_downloaded && ["All here", "succeeded"],
    !repo.commit && ["Not synced yet", "queued"],
  ];
  return told.filter(Boolean).map(([text, state]) => h("span", { class: "state", "data-state": state }, text));
}

export function atWork(work) {
  const kind = KINDS[work.kind] || work.kind;
  return work.status === "running" ? `${kind}: ${Math.round(work.progress * 100)} %` : `${kind}: waiting`;
}

export function amount(repo) {
  if (!repo.commit) return "Its files are not known yet.";
  return `${repo.done_count} of ${repo.file_count} files here, ${bytes(repo.done_bytes)} of ${bytes(repo.size_bytes)}`;
}
