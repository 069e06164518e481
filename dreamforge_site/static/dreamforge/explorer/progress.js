// How far a download is: its stream says that something moved, its files are asked for once a second
// at most, and what is shown is always what the server says.

import { ask, bytes, duration } from "./api.js";

const OVER = new Set(["succeeded", "failed", "canceled"]);
const EVERY_MS = 1000;
const FILES_SHOWN = 200;

export function follow(id, onNews, onEnd) {
  const stream = new EventSource(`/v1/downloads/${id}/stream`);
  let timer = 0;
  let isOver = false;

  async function look() {
    timer = 0;
    try {
      const [download, page] = await Promise.all([
        ask(`/v1/downloads/${id}`),
        ask(`/v1/downloads/${id}/files`, { query: { limit: FILES_SHOWN } }),
      ]);
      if (isOver) return;
      onNews(download, page.files);
      if (OVER.has(download.status)) {
        isOver = true;
        stream.close();
        onEnd(download);
      }
    } catch (error) {
      soon(EVERY_MS * 3);
    }
  }

  function soon(wait = EVERY_MS) {
    if (!timer && !isOver) timer = setTimeout(look, wait);
  }

  for (const name of ["progress", "log", "error", "end"]) stream.addEventListener(name, () => soon());
  look();
  return () => {
    isOver = true;
    clearTimeout(timer);
    stream.close();
  };
}

export function told(download) {
  const done = bytes(download.bytes_done);
  const parts = [download.status];
  if (download.bytes_total) parts.push(`${done} of ${bytes(download.bytes_total)}`);
  if (download.status === "running" && download.rate_bps) parts.push(`${bytes(download.rate_bps)}/s`);
  if (download.eta_s) parts.push(`${duration(download.eta_s)} left`);
  return parts.join(" · ");
}
