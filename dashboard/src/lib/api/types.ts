// The names of what the node tells, so that views need not spell where the description keeps them.
import type { components } from './schema';

type Schemas = components['schemas'];
export type AuditEntry = Schemas['AuditEntry'];
export type ChangeKind = Schemas['ChangeKind'];
export type DeadLetter = Schemas['DeadLetter'];
export type Deployment = Schemas['CountedDeployment'];
export type DeploymentSummary = Schemas['DeploymentSummary'];
export type Effect = Schemas['Effect'];
export type Execution = Schemas['WithTime_Execution'];
export type Failure = Schemas['Failure'];
export type FailureGroup = Schemas['FailureGroup'];
export type FileDiff = Schemas['FileDiff'];
export type FunctionDiff = Schemas['FunctionDiff'];
export type FunctionStats = Schemas['FunctionStats'];
export type HealthPart = Schemas['HealthPart'];
export type KeptRequest = Schemas['KeptRequest'];
export type KvEntry = Schemas['KvEntry'];
export type LogLine = Schemas['LogLine'];
export type Manifest = Schemas['Manifest'];
export type NodeStatus = Schemas['NodeStatus'];
export type NodeSummary = Schemas['NodeSummary'];
export type Principal = Schemas['Principal'];
export type Route = Schemas['RouteSummary'];
export type Explanation = Schemas['Explanation'];
export type RunAnswer = Schemas['RunAnswer'];
export type Schedule = Schemas['ScheduleSummary'];
export type Scope = Schemas['Scope'];
export type Script = Schemas['ScriptAnswer'];
export type ScriptSummary = Schemas['ScriptSummary'];
export type Secret = Schemas['SecretSummary'];
export type Setting = Schemas['Setting'];
export type Token = Schemas['TokenSummary'];
export type Topic = Schemas['TopicStatus'];
export type VersionFiles = Schemas['VersionAnswer'];
export type VersionSummary = Schemas['VersionSummary'];

export type { Diagnostic } from './problem';
