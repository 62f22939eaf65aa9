// What a screen reader is to say without moving the focus. The frame renders the region.
export const LIVE_REGION = "announcements";

export function announce(text: string): void {
  const region = document.getElementById(LIVE_REGION);
  if (region) region.textContent = text;
}
