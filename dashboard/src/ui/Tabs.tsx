// Tabs whose choice stands in the address, so that a link shows the same.
import { Tabs as Base } from "@base-ui/react/tabs";
import type { ReactNode } from "react";
import css from "./ui.module.css";

interface Tab<K extends string> {
  key: K;
  title: ReactNode;
}

interface Props<K extends string> {
  label: string;
  tabs: Tab<K>[];
  value: K;
  onChange: (key: K) => void;
  children: ReactNode;
}

export function Tabs<K extends string>({ label, tabs, value, onChange, children }: Props<K>) {
  return (
    <Base.Root value={value} onValueChange={(next) => onChange(next as K)}>
      <Base.List className={css.tabs} aria-label={label} activateOnFocus>
        {tabs.map((tab) => (
          <Base.Tab key={tab.key} value={tab.key} className={css.tab}>
            {tab.title}
          </Base.Tab>
        ))}
      </Base.List>
      <Base.Panel value={value} keepMounted={false}>
        {children}
      </Base.Panel>
    </Base.Root>
  );
}
