/* Who is signed in and what the server told this page; nothing of it is kept. */

import { $ } from "./dom.js";

export const FACTS = JSON.parse($("facts").textContent);
export const USER = FACTS.user;

/** Whether a job of this type would be taken from this user. */
export const mayStart = (type) => USER.may_start.includes(type);

/** Whether this user may stop, start again and delete what this account owns; seeing it is not
    yet a right to that. */
export const mayActOn = (owner_id) => owner_id === USER.id || USER.may_act_for_others;

export const app = (path) => `${FACTS.root}${path}`;
