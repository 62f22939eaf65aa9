// What this machine lends. Battery, lid and hours change by themselves: nobody tells of it.
import { useRead } from "../../api/query";

const LOOK_EVERY_MS = 10_000;

export const useLending = () => useRead("device.lending", {}, { refetchOnMount: "always", refetchInterval: LOOK_EVERY_MS });
