// How the org's tailnet stands. That its server or tailscaled is away no event tells: it is looked.
import { useRead } from "./query";

const LOOK_EVERY_MS = 30_000;

export const useTailnet = () => useRead("tailnet.status", {}, { refetchOnMount: "always", refetchInterval: LOOK_EVERY_MS });
