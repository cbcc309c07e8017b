// The names of what the node tells, so that views need not spell where the description keeps them.
import type { components } from './schema';

type Schemas = components['schemas'];
export type AuditEntry = Schemas['AuditEntry'];
export type ChangeKind = Schemas['ChangeKind'];
export type DeadLetter = Schemas['DeadLetter'];
export type Deployment = Schemas['WithTime_Deployment'] & Planned.DeploymentMore;
export type DeploymentSummary = Schemas['DeploymentSummary'] & Planned.DeploymentMore;
export type Effect = Schemas['Effect'];
export type Execution = Schemas['WithTime_Execution'] & Planned.ExecutionMore;
export type Failure = Schemas['Failure'];
export type FileDiff = Schemas['FileDiff'];
export type FunctionDiff = Schemas['FunctionDiff'] & Planned.FunctionDiffMore;
export type KvEntry = Schemas['KvEntry'];
export type LogLine = Schemas['LogLine'];
export type Manifest = Schemas['Manifest'];
export type NodeStatus = Schemas['NodeStatus'];
export type Principal = Schemas['Principal'];
export type Route = Schemas['RouteSummary'];
export type Explanation = Schemas['Explanation'];
export type RunAnswer = Schemas['RunAnswer'];
export type Schedule = Schemas['ScheduleSummary'] & Planned.ScheduleMore;
export type Scope = Schemas['Scope'];
export type Script = Schemas['ScriptAnswer'];
export type ScriptSummary = Schemas['ScriptSummary'];
export type Secret = Schemas['SecretSummary'];
export type Token = Schemas['TokenSummary'];
export type Topic = Schemas['TopicStatus'];
export type VersionFiles = Schemas['VersionAnswer'];
export type VersionSummary = Schemas['VersionSummary'];

import type * as Planned from './planned';
export type { FailureGroup, FunctionStats, HealthPart, NodeSummary, Stats } from './planned';
export type { Diagnostic } from './problem';
