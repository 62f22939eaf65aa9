// Where the devices stand on the map: this one in the middle, the others around it. Pure.
export const NODE = { width: 150, height: 48 };
/** More would say nothing any more. */
export const DRAWN_MAX = 40;

const AROUND = { width: 230, height: 110 };

/** The places of the others around the middle; the ring is wide enough that none covers another. */
export function around(count: number): { x: number; y: number }[] {
  const grows = Math.max(1, count / 8);
  return Array.from({ length: count }, (_, at) => {
    const angle = (2 * Math.PI * at) / count - Math.PI / 2;
    return { x: Math.round(Math.cos(angle) * AROUND.width * grows), y: Math.round(Math.sin(angle) * AROUND.height * grows) };
  });
}

/** The task that an address names as `project/feature/T004`. */
export function taskOf(text: string): { project: string; feature: string; task: string } | undefined {
  const [project, feature, task, ...more] = text.split("/");
  return project && feature && task && more.length === 0 ? { project, feature, task } : undefined;
}
