// Made from openapi.json by `npm run api`; not to be edited.
export interface paths {
    "/api/v1/session/show": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Who the caller is, and what they may do. */
        get: operations["session_show"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/session/list": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** List the browsers that are signed in. */
        get: operations["session_list"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/session/end": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Sign a browser out. */
        post: operations["session_end"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/session/end_all": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Sign every browser out. */
        post: operations["session_end_all"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/attention/list": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** What waits for a person, the longest waiting first. */
        get: operations["attention_list"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/org/create": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Make an org, with this machine's member as its owner. */
        post: operations["org_create"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/org/list": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** The orgs of this machine, as far as the caller may know of them. */
        get: operations["org_list"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/org/leave": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Leave the org; its folder is kept aside. */
        post: operations["org_leave"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/org/show": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Show the org: its members and devices. */
        get: operations["org_show"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/org/invite": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Invite somebody, or one more device: makes a ticket. */
        post: operations["org_invite"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/org/invites": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** List the invitations that this device made. */
        get: operations["org_invites"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/org/uninvite": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Take an invitation back; it counts no more. */
        post: operations["org_uninvite"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/org/joiners": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** List those who knocked at this device. */
        get: operations["org_joiners"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/org/join": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Join an org with a ticket: knocks, and waits for its owners. */
        post: operations["org_join"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/org/joining": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Show how it stands with joining. */
        get: operations["org_joining"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/org/proposals": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** List the changes of the org that wait for owners. */
        get: operations["org_proposals"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/org/approve": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Approve a change of the org, or let somebody in who knocked here. */
        post: operations["org_approve"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/org/reject": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Reject a change of the org, or decline somebody who knocked here. */
        post: operations["org_reject"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/org/threshold": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Say how many owners must sign a change of the org. */
        post: operations["org_threshold"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/member/roles": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Give a member roles, and take some from them. */
        post: operations["member_roles"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/member/rename": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Rename a member. */
        post: operations["member_rename"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/member/standby": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Name the device that stands in for a member's others while they are away. */
        post: operations["member_standby"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/member/remove": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Remove a member, with their keys and devices. */
        post: operations["member_remove"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/device/change": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Rename a device, or say where it is and what the org promises about it. */
        post: operations["device_change"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/device/remove": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Remove a device, with the member's key on it. */
        post: operations["device_remove"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/project/add": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Make a git working copy a project of the org, or clone one by its Radicle id. */
        post: operations["project_add"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/project/list": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** List the projects, also those that are not on this device yet. */
        get: operations["project_list"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/project/show": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Show a project: its features, and what is wrong with their files. */
        get: operations["project_show"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/project/share": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Let a Radicle node read a private project. */
        post: operations["project_share"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/project/gate": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Let only one device, or two of three, move a project's default branch, or open it again. */
        post: operations["project_gate"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/project/mirror": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Push the merged default branch to an ordinary git host, and take changes made there. */
        post: operations["project_mirror"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/project/pull": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Take commits of a working copy or another git remote into the default branch. */
        post: operations["project_pull"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/project/sync": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Bring a project and its mirror to the same state now. */
        post: operations["project_sync"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/feature/new": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Make a feature with Spec-Kit's own script, as a commit of the member. */
        post: operations["feature_new"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/task/list": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** List the tasks of a project, and where each is. */
        get: operations["task_list"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/task/show": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Show a task: its details, its runs, and why it waits. */
        get: operations["task_show"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/task/run": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Give tasks to an agent: some, or all open ones of a feature. */
        post: operations["task_run"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/task/takeover": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Take a task over that another device has claimed. */
        post: operations["task_takeover"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/task/add": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Write a new task, as a commit of the member. */
        post: operations["task_add"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/task/edit": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Change what a task says, as a commit of the member. */
        post: operations["task_edit"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/task/why": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Explain where a task runs, or would: what speaks for and against each device, who was asked, and what it said. */
        get: operations["task_why"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/run/list": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** List runs, newest first. */
        get: operations["run_list"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/run/show": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Show a run. */
        get: operations["run_show"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/run/logs": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** A page of a run's log. */
        get: operations["run_logs"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/run/diff": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** What a run changed: its commit, or the last checkpoint of its files. */
        get: operations["run_diff"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/run/send": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Send a message to a running agent. */
        post: operations["run_send"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/run/answer": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Answer a permission request of an engine. */
        post: operations["run_answer"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/run/pause": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Freeze a run. */
        post: operations["run_pause"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/run/resume": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Let a frozen run go on. */
        post: operations["run_resume"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/run/kept": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** List folders of runs that hold work which is in no patch. */
        get: operations["run_kept"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/run/drop": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Remove the folder that is kept of a run. */
        post: operations["run_drop"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/run/stop": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** End a run; its work stays in a checkpoint. */
        post: operations["run_stop"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/patch/list": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** List the patches of a project. */
        get: operations["patch_list"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/patch/show": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Show a patch: revisions, reviews, checks, and what a merge still needs. */
        get: operations["patch_show"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/patch/diff": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** The diff of a patch: of a revision, or from one to another. */
        get: operations["patch_diff"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/patch/review": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Review a patch: accept it, ask for changes, or comment, also on lines. */
        post: operations["patch_review"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/patch/comment": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Comment on a patch, or answer a comment. */
        post: operations["patch_comment"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/patch/merge": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Merge a patch, once its gate is open. */
        post: operations["patch_merge"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/patch/close": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Close a patch without merging it. */
        post: operations["patch_close"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/patch/reopen": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Open a closed patch again. */
        post: operations["patch_reopen"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/agent/add": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Add an agent, or change one. */
        post: operations["agent_add"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/agent/list": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** List the agents. */
        get: operations["agent_list"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/agent/remove": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Remove an agent; its runs and patches stay. */
        post: operations["agent_remove"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/engine/install": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Fetch a coding engine from npm into the data folder. */
        post: operations["engine_install"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/engine/list": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** List the engines that have a profile, and which are installed. */
        get: operations["engine_list"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/credential/set": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Keep a credential in this machine's vault. */
        post: operations["credential_set"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/credential/list": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** List the names of the credentials. */
        get: operations["credential_list"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/credential/test": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Ask the provider whether a credential is good. */
        get: operations["credential_test"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/credential/protect": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Say what unlocks the vault when Meshwork starts. */
        post: operations["credential_protect"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/credential/remove": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Forget a credential. */
        post: operations["credential_remove"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/quota/show": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** What models cost, what may be used of them, and what was used. */
        get: operations["quota_show"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/quota/set": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Set how much the org, a member or an agent may use in a day or a month. */
        post: operations["quota_set"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/quota/price": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Set what a model costs. */
        post: operations["quota_price"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/quota/rules": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Set which models may be used, and whether content is kept. */
        post: operations["quota_rules"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/stop/list": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** List stop orders, the newest first. */
        get: operations["stop_list"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/stop/order": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Halt an agent, a member, a device or the whole org everywhere, until that is lifted. */
        post: operations["stop_order"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/stop/lift": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Lift a stop order: what it halted goes on. */
        post: operations["stop_lift"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/token/create": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Make a token for scripts; it is shown once. */
        post: operations["token_create"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/token/list": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** List the tokens, without their secrets. */
        get: operations["token_list"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/token/revoke": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Revoke a token; it counts no more at once. */
        post: operations["token_revoke"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/policy/show": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Show the org's policy: its files, and who may what by it. */
        get: operations["policy_show"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/policy/explain": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Say whether somebody may do an action, and which rule decides. */
        get: operations["policy_explain"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/policy/check": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Check files of policies, or those of the org; nothing is changed. */
        get: operations["policy_check"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/policy/set": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Set a file of the org's policy, or remove it. */
        post: operations["policy_set"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/trace/show": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Trace a patch, commit or run back to who asked for it, and check each link. */
        get: operations["trace_show"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/webhook/show": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Where what waits for a person is posted to, and how that last went. */
        get: operations["webhook_show"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/webhook/set": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Post what waits for a person to an address. */
        post: operations["webhook_set"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/webhook/test": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Post a test to the webhook. */
        post: operations["webhook_test"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/journal/list": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** A page of this device's journal, or of the copy of another's. */
        get: operations["journal_list"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/journal/search": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Find events in this device's journal, or in the copy of another's, newest first. */
        get: operations["journal_search"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/journal/copies": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** The journals of all devices, as far as this one has them. */
        get: operations["journal_copies"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/journal/hash": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** A hash of all runs and claims of the org, as they are known here. */
        get: operations["journal_hash"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/journal/verify": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Check every link, hash and signature of the journals, and the blobs. */
        get: operations["journal_verify"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/journal/rebuild": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Make what is shown anew from the journal. */
        post: operations["journal_rebuild"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/backup/create": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Save keys and journal into an encrypted file. */
        post: operations["backup_create"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/device/list": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** List the org's devices, and whether each can be reached now. */
        get: operations["device_list"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/device/capacity": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** What each device of the org lends, and what of it is free. */
        get: operations["device_capacity"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/device/pods": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** What runs on this machine now. */
        get: operations["device_pods"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/device/schedule": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Ask this machine to run a signed manifest. */
        post: operations["device_schedule"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/device/evict": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** End what runs here: it is frozen and saved, and goes on later. */
        post: operations["device_evict"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/device/doctor": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** What is missing on this machine, and how to mend it. */
        get: operations["device_doctor"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/device/lending": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** What this machine's owner lends to others, and why it takes no guests now. */
        get: operations["device_lending"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/device/lend": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Say what this machine lends to others; what is not said stays. */
        post: operations["device_lend"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/device/reclaim": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Take this machine back: guests are frozen, saved and sent away. */
        post: operations["device_reclaim"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/device/release": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Lend this machine again that was taken back. */
        post: operations["device_release"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/tailnet/status": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Show the org's tailnet: its server, its machines and whose they are. */
        get: operations["tailnet_status"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/tailnet/who": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Say which device is at an address of the tailnet, and whose it is. */
        get: operations["tailnet_who"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/command/complete": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** What could come next in a sentence, and which things hold its words. */
        get: operations["command_complete"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/command/understand": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Understand a sentence: answer it, or propose changes. Nothing is changed. */
        get: operations["command_understand"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/command/run": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Carry out what was proposed and said yes to, once. */
        post: operations["command_run"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/command/undo": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Take back what was carried out, where that can be. */
        post: operations["command_undo"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/command/settings": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** The command bar's model, its budget of the day, and what is used of it. */
        get: operations["command_settings"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/command/model": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Set the command bar's model, or take it away. */
        post: operations["command_model"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/capacity": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** What each device of the org lends, and what of it is free. */
        get: operations["device_capacity_short"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/pods": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** What runs on this machine now. */
        get: operations["device_pods_short"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/schedule": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Ask this machine to run a signed manifest. */
        post: operations["device_schedule_short"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/evict": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** End what runs here: it is frozen and saved, and goes on later. */
        post: operations["device_evict_short"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/health": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** “ok” when the server answers; more for those who signed in. */
        get: operations["health"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/events": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** The journal as server-sent events; resumes by Last-Event-ID. */
        get: operations["events"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/metrics": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Metrics in the OpenMetrics text form. */
        get: operations["metrics"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/openapi.json": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** This document. */
        get: operations["openapi.json"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
}
export type webhooks = Record<string, never>;
export interface components {
    schemas: {
        /** @description The caller, as this machine sees them. */
        Session: {
            /** @description The org that this machine serves; none before one is made. */
            org: components["schemas"]["OrgName"] | null;
            /** @description This device's key. */
            device: components["schemas"]["Did"] | null;
            /** @description The caller's key. */
            member: components["schemas"]["Did"] | null;
            /** @description What people call them. */
            name: string | null;
            /** @description What they are in the org. */
            role: components["schemas"]["Role"];
            /** @description What that allows. */
            permissions: components["schemas"]["Permission"][];
            /** @description Meshwork's version. */
            version: string;
        };
        /** @description An org's name; also its folder on this machine and its host name before `.localhost`. */
        OrgName: string;
        /** @description A key that acts: a member, a device or a run, as `did:key:z6Mk…`. */
        Did: string;
        /** @description What a member, a token or an agent is in an org. */
        Role: "owner" | "maintainer" | "developer" | "viewer" | "reviewer-bot" | "agent";
        /** @description What an action needs. One word a sort of action, so that policies stay readable. */
        Permission: "view" | "run_tasks" | "steer_runs" | "review" | "merge" | "edit_tasks" | "manage_projects" | "manage_agents" | "manage_org" | "manage_credentials" | "manage_tokens" | "manage_device";
        /** @description A browser that is signed in. */
        Browser: {
            /** @description The public id of its session. */
            id: string;
            /** @description What it calls itself. */
            label: string;
            /** @description When it signed in. */
            since: components["schemas"]["Timestamp"];
            /** @description Until when it stays signed in. */
            until: components["schemas"]["Timestamp"] | null;
            /** @description Whether it is the one that asks. */
            this: boolean;
        };
        /**
         * Format: int64
         * @description A moment: milliseconds since the Unix epoch.
         */
        Timestamp: number;
        /** @description Done, with a sentence for the person. */
        Done: {
            /** @description What was done. */
            message: string;
        };
        /** @description Something that waits for a person. */
        Item: {
            /** @description Since when. */
            since: components["schemas"]["Timestamp"];
            /** @description What happened, in a few words, as above a notification. */
            heading: string;
            /** @description In which project. */
            project: components["schemas"]["ProjectName"];
            /** @description The task that it is about. */
            task: components["schemas"]["TaskRef"] | null;
            /** @description The task's or the patch's title. */
            title: string;
            /** @description From whose journal it is known, where another device has claimed the task: it goes on there. */
            whose?: components["schemas"]["Whose"] | null;
        } & ({
            /** @constant */
            kind: "question";
            run: components["schemas"]["RunId"];
            agent: components["schemas"]["AgentName"] | null;
            question: components["schemas"]["Question"];
        } | {
            /** @constant */
            kind: "review";
            patch: components["schemas"]["PatchId"];
            standing: components["schemas"]["PatchStanding"];
        } | {
            /** @constant */
            kind: "changes_requested";
            patch: components["schemas"]["PatchId"];
        } | {
            /** @constant */
            kind: "failed";
            run: components["schemas"]["RunId"];
            why: string;
        });
        /** @description A project's name within its org. */
        ProjectName: string;
        /** @description A task in its project: `demo/001-greeting/T001` in writing. */
        TaskRef: {
            /** @description The project. */
            project: components["schemas"]["ProjectName"];
            /** @description The feature that the task belongs to; ids of tasks are unique only within it. */
            feature: components["schemas"]["FeatureId"];
            /** @description The task. */
            task: components["schemas"]["TaskId"];
        };
        /** @description A Spec-Kit feature: its folder's name below `specs/`, as `003-login`. */
        FeatureId: string;
        /** @description A Spec-Kit task: `T012`. */
        TaskId: string;
        /** @description From whose journal something is known, where that is another device's. */
        Whose: {
            /** @description The device. */
            device: components["schemas"]["Did"];
            /** @description As of when its journal is known whole here, by the clock here; none where that never was so. */
            as_of?: components["schemas"]["Timestamp"] | null;
            /** @description Whether its journal is followed now. */
            reachable: boolean;
            /** @description Whether the device was removed from the org: nothing more will come of it. */
            removed?: boolean;
            /** @description What a stop order halts that cuts it off from this device, in words; none: no order does. */
            halted?: string | null;
            /** @description Where it is away, and executes a run for this device: then the run counts as lost, unless the device is heard of before. */
            until?: components["schemas"]["Timestamp"] | null;
        };
        /** @description One attempt of an agent at a task, or one execution of another workload. */
        RunId: string;
        /** @description An agent's name within its org. */
        AgentName: string;
        /** @description A permission request of an engine. */
        Question: {
            /** @description Its id within the run. */
            id: string;
            /** @description What the engine wants to do. */
            title: string;
            /** @description The answers that it offers. */
            options: components["schemas"]["Choice"][];
        };
        /** @description One answer to a question. */
        Choice: {
            /** @description Its id. */
            id: string;
            /** @description In words. */
            label: string;
            /** @description Whether it allows. */
            allows: boolean;
        };
        /** @description A Radicle patch (the id of its collaborative object). */
        PatchId: string;
        /** @description Where a patch stands: one word for it, wherever patches are shown. */
        PatchStanding: "draft" | "to_review" | "changes_requested" | "checks_failed" | "gate_shut" | "to_merge" | "merged" | "closed";
        /** @description An org. */
        OrgView: {
            name: components["schemas"]["OrgName"];
            /** @description Its Radicle repository. */
            rid: components["schemas"]["Rid"];
            /** @description This device's key. */
            device: components["schemas"]["Did"];
            /** @description This member's key. */
            member: components["schemas"]["Did"];
            members: components["schemas"]["Member"][];
            devices: components["schemas"]["Device"][];
            /** @description Its Radicle node's id: this device's key, or that of the person's profile. */
            node: components["schemas"]["Did"];
            /** @description Where its Radicle node listens. */
            radicle: string | null;
            /** @description `RAD_HOME` for the stock `rad`. */
            rad_home: string;
            /**
             * Format: uint32
             * @description How many owners must sign a change of the org.
             */
            threshold: number;
            /** @description Keys that count no more: lost, stolen or misused. */
            revoked: components["schemas"]["Revocation"][];
            /** @description Keys that merely ended. */
            ended: components["schemas"]["Revocation"][];
            /** @description Why the newest commit of the org repository does not count, where it does not. */
            refused?: components["schemas"]["Problem"] | null;
            /** @description That the org does not list this device any more, where that is known. */
            removed?: components["schemas"]["Removed"] | null;
        };
        /** @description A Radicle repository: `rad:z…`. */
        Rid: string;
        /** @description `members/<name>.toml`: a person. One key lives in one storage, so a member has one key per device. */
        Member: {
            /** @description What people call them; also the file's name. */
            name: string;
            /** @description Their roles. */
            roles: components["schemas"]["Role"][];
            /** @description The device of theirs, by its key, through which their runs elsewhere reach a model while the device that asked for them is away. */
            standby?: components["schemas"]["Did"] | null;
            /** @description Their keys, one per device. */
            keys: components["schemas"]["MemberKey"][];
        };
        /** @description One key of a member. */
        MemberKey: {
            /** @description The key. */
            did: components["schemas"]["Did"];
            /** @description The device on which it lives. */
            device: components["schemas"]["Did"];
        };
        /** @description `devices/<name>.toml`: a machine that runs the orchestrator. */
        Device: {
            /** @description What people call it; also the file's name. */
            name: string;
            /** @description Its key; also its Radicle node id. */
            did: components["schemas"]["Did"];
            /** @description The member who owns it, by name. */
            owner: string;
            /** @description Where its mesh port is reached, as `host:port`; the first that answers is taken. */
            addresses?: string[];
            /** @description Where its Radicle node is reached, as `host:port`. */
            radicle?: string[];
            /** @description Where its gossip is reached, as `host:port`. */
            gossip?: string[];
            /**
             * @description What the org promises others about it, as `region = "ap-southeast-2"` or `compliance = "restricted"`. What the device
             *     says about itself is not here.
             */
            tags?: {
                [key: string]: string;
            };
        };
        /** @description One key that counts no more. */
        Revocation: {
            /** @description The key. */
            did: components["schemas"]["Did"];
            /** @description Whose it was. */
            kind: components["schemas"]["KeyKind"];
            /** @description When it was revoked. */
            at: components["schemas"]["Timestamp"];
            /** @description Why, in words. */
            why: string;
            /** @description What people called whose it was. */
            name?: string | null;
        };
        /** @description Whose key it is. */
        KeyKind: "member" | "device" | "run";
        /** @description One problem, in words for a person. The cause for the log is kept apart and never shown to others. */
        Problem: {
            /** @description The sort of problem. */
            kind: components["schemas"]["Kind"];
            /** @description What happened: one sentence. */
            what: string;
            /** @description Why, where that adds something. */
            why?: string | null;
            /** @description What to do next, where there is something. */
            next?: string | null;
        };
        /** @description What sort of problem it is. Decides the HTTP status and the exit code; stable names for scripts. */
        Kind: "invalid" | "unauthenticated" | "forbidden" | "not_found" | "conflict" | "limit" | "unavailable" | "timeout" | "internal";
        /** @description That the org does not list this device any more. */
        Removed: {
            /** @description Whether the org repository says so; else only other devices do. */
            certain: boolean;
            /** @description When it was removed, where that is known. */
            at?: components["schemas"]["Timestamp"] | null;
            /** @description In words. */
            message: string;
        };
        /** @description An org of the machine, and how it does. */
        Joined: {
            /** @description Its name. */
            name: components["schemas"]["OrgName"];
            /** @description Its address for browsers. */
            url?: string | null;
            /** @description That it does not list this device any more, in words, where its process knows it. */
            removed?: string | null;
        } & ({
            /** @constant */
            state: "starting";
        } | {
            /** @constant */
            state: "up";
        } | {
            /** @constant */
            state: "down";
            /** @description How it ended. */
            why: string;
            /**
             * Format: uint32
             * @description How often in a row it did not stay up.
             */
            tries: number;
            /**
             * Format: uint64
             * @description Seconds between its end and its next start.
             */
            pause_s: number;
        });
        /** @description An invitation. */
        InviteView: {
            /** @description Its id. */
            id: string;
            /** @description The ticket: hand it to the one who is to join, and to nobody else. */
            ticket: string;
            /** @description As what it lets somebody join. */
            admits: components["schemas"]["Admits"];
            /** @description It counts until then. */
            expires: components["schemas"]["Timestamp"];
            /**
             * Format: uint32
             * @description How many may join with it.
             */
            uses: number;
            /** @description The devices that used it. */
            used: components["schemas"]["Did"][];
            /** @description Whether somebody may still come with it. */
            open: boolean;
            /** @description Where they knock. */
            knock: string[];
        };
        /** @description As what a ticket lets somebody join. */
        Admits: {
            /** @constant */
            as: "member";
            /** @description In this role. */
            role: components["schemas"]["Role"];
        } | {
            /** @constant */
            as: "device";
            /** @description The member, by name. */
            member: string;
        };
        /** @description Somebody who knocked. */
        JoinerView: {
            /** @description The person's name, or the member's whose device it is. */
            name: string;
            device_name: string;
            /** @description The device's key. */
            device: components["schemas"]["Did"];
            /** @description The member's key on it. */
            member: components["schemas"]["Did"];
            /** @description As what they want to join. */
            admits: components["schemas"]["Admits"];
            /** @description When they knocked first. */
            at: components["schemas"]["Timestamp"];
        } & ({
            /** @constant */
            state: "waiting";
        } | {
            /** @constant */
            state: "proposed";
            /** @description The proposal. */
            proposal: components["schemas"]["PatchId"];
        } | {
            /** @constant */
            state: "approved";
        } | {
            /** @constant */
            state: "declined";
            /** @description Why. */
            why: string;
        });
        /** @description How it stands with joining. */
        JoiningView: {
            /** @description The org. */
            org: components["schemas"]["OrgName"];
            /** @description This device's key: what the owners see of it. */
            device: components["schemas"]["Did"];
        } & ({
            /** @constant */
            state: "knocking";
            /** @description Why it was not reached so far. */
            problem?: components["schemas"]["Problem"] | null;
        } | {
            /** @constant */
            state: "waiting";
            /** @description What is waited for, in words. */
            why: string;
        } | {
            /** @constant */
            state: "fetching";
            /** @description Why it was not fetched so far. */
            problem?: components["schemas"]["Problem"] | null;
        } | {
            /** @constant */
            state: "joined";
        } | {
            /** @constant */
            state: "refused";
            /** @description Why. */
            problem: components["schemas"]["Problem"];
        });
        /** @description A change that waits. */
        ProposalView: {
            id: components["schemas"]["PatchId"];
            /** @description Its last revision, for which an approval is; the first has the proposal's id. */
            revision: components["schemas"]["RevisionId"];
            title: string;
            /** @description Who made that revision: a member's name, or a key. */
            by: string;
            at: components["schemas"]["Timestamp"];
            /** @description The files of the org repository that it changes. */
            files: string[];
            /** @description The owners who approved. */
            approved: string[];
            /**
             * Format: uint
             * @description How many must.
             */
            needed: number;
            /** @description What is to be known of how it stands: what else it waits for, or why it cannot count. */
            problem?: string | null;
            /** @description Whether the owner here has still to decide. */
            yours: boolean;
        };
        /** @description A revision of a Radicle patch. */
        RevisionId: string;
        /** @description What became of a change of the org. */
        Outcome: {
            /** @description In words. */
            message: string;
            /** @description The commit, where it is in force. */
            commit?: components["schemas"]["Oid"] | null;
            /** @description The proposal, where it waits for other owners. */
            proposal?: components["schemas"]["PatchId"] | null;
        };
        /** @description A git object. */
        Oid: string;
        Added: {
            project: components["schemas"]["Project"];
            /** @description What the person should know. */
            notices: string[];
        };
        /** @description A project as the org repository lists it: `projects/<name>.toml`. */
        Project: {
            /** @description Its name in the org. */
            name: components["schemas"]["ProjectName"];
            /** @description Its Radicle repository. */
            rid: components["schemas"]["Rid"];
            /** @description Its default branch. */
            branch: string;
            /** @description An ordinary git host that gets the merged default branch, and whose changes come back. */
            mirror?: string | null;
            /**
             * @description The devices, by their keys, that alone move its default branch, in the order in which they are asked to: one, or [`GATES_MAX`];
             *     without any it is not gated.
             */
            gates?: components["schemas"]["Did"][];
        };
        /** @description A project with what its repository says now. */
        ProjectView: {
            /** @description The project. */
            project: components["schemas"]["Project"];
            /**
             * @description The canonical head of its default branch; none while its repository is not on this device: then its features and tasks are not
             *     known.
             */
            head?: components["schemas"]["Oid"] | null;
            /** @description Why it is not on this device yet, where that is known. */
            absent?: string | null;
            /** @description Why it cannot be read; where its head is told, what is wrong with its settings, without which no tasks are listed. */
            problem?: string | null;
            /**
             * Format: uint
             * @description How many features it has.
             */
            features: number;
            /**
             * Format: uint
             * @description How many open tasks.
             */
            open_tasks: number;
            /**
             * Format: uint
             * @description How many tasks are done.
             */
            done_tasks: number;
        };
        /** @description A project with what its repository says now. */
        Shown: {
            /** @description The project. */
            project: components["schemas"]["Project"];
            /**
             * @description The canonical head of its default branch; none while its repository is not on this device: then its features and tasks are not
             *     known.
             */
            head?: components["schemas"]["Oid"] | null;
            /** @description Why it is not on this device yet, where that is known. */
            absent?: string | null;
            /** @description Why it cannot be read; where its head is told, what is wrong with its settings, without which no tasks are listed. */
            problem?: string | null;
            features: components["schemas"]["FeatureView"][];
            /**
             * Format: uint
             * @description How many open tasks.
             */
            open_tasks: number;
            /**
             * Format: uint
             * @description How many tasks are done.
             */
            done_tasks: number;
            /** @description What the person should know of its settings and its mirror. */
            notices: string[];
            /** @description Its gates, where it is gated. */
            gate?: components["schemas"]["GateView"] | null;
            /** @description How it is with its mirror. */
            mirror?: components["schemas"]["MirrorState"] | null;
            checks: components["schemas"]["Check"][];
        };
        FeatureView: {
            id: components["schemas"]["FeatureId"];
            title: string;
            /** Format: uint */
            tasks: number;
            /** Format: uint */
            done: number;
            problems: string[];
        };
        /** @description The gates of a project, as people see them. */
        GateView: {
            /** @description The devices, in the order in which they are asked to merge. */
            devices: components["schemas"]["GateDevice"][];
            /**
             * Format: uint
             * @description How many of them must sign a merge.
             */
            needed: number;
            /** @description Whether the repository itself lets nobody else move the default branch by now. */
            in_force: boolean;
        };
        /** @description A device that is a gate. */
        GateDevice: {
            /** @description How it is called. */
            device: string;
            /** @description Its key. */
            did: components["schemas"]["Did"];
        };
        /** @description How it is with a project's mirror. */
        MirrorState: {
            /** @description Where its branch was when it was last reached. */
            commit?: components["schemas"]["Oid"] | null;
            /** @description Since when this is so. */
            at: components["schemas"]["Timestamp"];
            /** @description Why it cannot be brought up to date, in words. */
            problem?: string | null;
        };
        /** @description One check: a shell command that succeeds or not. */
        Check: {
            /** @description What people call it. */
            name: string;
            /** @description Given to `sh -c` in the worktree. */
            command: string;
            /**
             * Format: uint64
             * @description Seconds it may take.
             * @default 1200
             */
            timeout_s: number;
        };
        FeatureMade: {
            feature: components["schemas"]["FeatureId"];
            commit: components["schemas"]["Oid"];
            /** @description The command that brings it into a working copy. */
            pull: string;
        };
        /** @description A task with where it is. */
        TaskView: {
            /** @description Its full name. */
            at: components["schemas"]["TaskRef"];
            /** @description What its file says. */
            task: components["schemas"]["Task"];
            /** @description Where it is. */
            state: components["schemas"]["TaskState"];
            /** @description From whose journal that is known, where another device claimed it. */
            whose?: components["schemas"]["Whose"] | null;
            /** @description Its patches, where several devices made one each: at most one is accepted. */
            rivals?: components["schemas"]["Rival"][];
        };
        /** @description A task as its `tasks.md` says it. */
        Task: {
            /** @description Its id. */
            id: components["schemas"]["TaskId"];
            /** @description What is to be done: the line without marks, wrapped lines joined. */
            title: string;
            /** @description Nested bullets and paragraphs below it. */
            details?: string;
            /** @description Whether it is ticked. */
            done: boolean;
            /** @description Marked `[P]`: may go beside others of its phase. */
            parallel: boolean;
            /** @description Its user story, as `US1`. */
            story?: string | null;
            /** @description Further tags in brackets. */
            tags?: string[];
            /** @description Heading of its phase; empty when it stands before any. */
            phase: string;
            /**
             * Format: uint
             * @description The phase's number in the file, from 0.
             */
            phase_index: number;
            /** @description What must be done before it: from phases, order, and explicit dependency sections. */
            depends_on: components["schemas"]["TaskId"][];
            /**
             * Format: uint
             * @description Its line in the file, from 1.
             */
            line: number;
        };
        /** @description Where a task is: from its tick, its claim, its runs and its patch. */
        TaskState: {
            /** @constant */
            state: "ready";
        } | {
            /** @constant */
            state: "waiting";
            /** @description For these. */
            on: components["schemas"]["TaskId"][];
        } | {
            /** @constant */
            state: "running";
            /** @description The run. */
            run: components["schemas"]["RunId"];
            /** @description Why its run is in the queue, and cannot start yet. */
            waits?: components["schemas"]["Reason"] | null;
        } | {
            /** @constant */
            state: "failed";
            /** @description The run. */
            run: components["schemas"]["RunId"];
            /** @description Why. */
            reason: components["schemas"]["Reason"];
        } | {
            /** @constant */
            state: "in_review";
            /** @description The patch. */
            patch: components["schemas"]["PatchId"];
        } | {
            /** @constant */
            state: "changes_requested";
            /** @description The patch. */
            patch: components["schemas"]["PatchId"];
        } | {
            /** @constant */
            state: "merged";
            /** @description The patch. */
            patch: components["schemas"]["PatchId"];
        } | {
            /** @constant */
            state: "done";
        } | {
            /** @constant */
            state: "rejected";
            /** @description The patch. */
            patch: components["schemas"]["PatchId"];
        };
        /** @description Why a run ended, was refused, or waits. Typed for machines, with words for people in [`Reason::text`]. */
        Reason: {
            /** @constant */
            code: "completed";
        } | {
            /** @constant */
            code: "waits_for";
            /** @description Which. */
            tasks: components["schemas"]["TaskId"][];
        } | {
            /** @constant */
            code: "waits_for_room";
            /** @description What the devices said. */
            message: string;
        } | {
            /** @constant */
            code: "tries_again";
            /** @description What. */
            message: string;
            /**
             * Format: uint32
             * @description How often that happened.
             */
            tries: number;
            /** @description Not before this. */
            at: components["schemas"]["Timestamp"];
        } | {
            /** @constant */
            code: "waits_for_device";
            /** @description What is known. */
            message: string;
        } | {
            /** @constant */
            code: "waits_for_checkpoint";
            /** @description The device. */
            device: components["schemas"]["Did"];
            /** @description Until then. */
            until: components["schemas"]["Timestamp"];
        } | {
            /** @constant */
            code: "waits_for_gateway";
            /** @description The requester's device. */
            device: components["schemas"]["Did"];
        } | {
            /** @constant */
            code: "claimed_elsewhere";
            /** @description The device. */
            by: components["schemas"]["Did"];
        } | {
            /** @constant */
            code: "paused";
            /** @description Who. */
            by: components["schemas"]["Did"];
        } | {
            /** @constant */
            code: "halted";
            /** @description Who gave the order. */
            by: components["schemas"]["Did"];
            /** @description What it halts, in words. */
            what: string;
            /** @description Why, in words of who gave it. */
            why: string;
        } | {
            /** @constant */
            code: "end_unwritten";
            /** @description The device. */
            device: components["schemas"]["Did"];
            /** @description What it says of that. */
            message: string;
        } | {
            /** @constant */
            code: "refused";
            /** @description What they said. */
            message: string;
        } | {
            /** @constant */
            code: "review_limit";
            /**
             * Format: uint
             * @description How many waited when that was noted.
             */
            waiting: number;
        } | {
            /** @constant */
            code: "nothing_changed";
            /** @description The list of tasks, where it changed that alone: it was put back. */
            put_back?: string | null;
        } | {
            /** @constant */
            code: "engine_failed";
            /** @description What it said. */
            message: string;
        } | {
            /** @constant */
            code: "engine_missing";
            /** @description What is missing. */
            message: string;
        } | {
            /** @constant */
            code: "engine_protocol";
            /** @description How. */
            message: string;
        } | {
            /** @constant */
            code: "model_failed";
            /** @description Its status or words. */
            message: string;
        } | {
            /** @constant */
            code: "silent";
            /**
             * Format: uint64
             * @description Seconds.
             */
            seconds: number;
        } | {
            /** @constant */
            code: "took_too_long";
            /**
             * Format: uint64
             * @description Seconds.
             */
            seconds: number;
        } | {
            /** @constant */
            code: "budget_spent";
            /** @description Which limit. */
            message: string;
        } | {
            /** @constant */
            code: "sandbox_limit";
            /** @description Which. */
            message: string;
        } | {
            /** @constant */
            code: "sandbox_unavailable";
            /** @description Why. */
            message: string;
        } | {
            /** @constant */
            code: "stopped";
            /** @description Who. */
            by: components["schemas"]["Did"];
        } | {
            /** @constant */
            code: "taken_over";
            /** @description The device. */
            by: components["schemas"]["Did"];
        } | {
            /** @constant */
            code: "superseded";
            /** @description The patch. */
            patch: components["schemas"]["PatchId"];
            /** @description The device. */
            by: components["schemas"]["Did"];
        } | {
            /** @constant */
            code: "found_done";
            /** @description That run. */
            run: components["schemas"]["RunId"];
            /** @description The device that executed it. */
            device: components["schemas"]["Did"];
        } | {
            /** @constant */
            code: "evicted";
            /** @description Why. */
            message: string;
        } | {
            /** @constant */
            code: "gave_way";
            /** @description The run that needs it. */
            to: components["schemas"]["RunId"];
            /** @description For whom that is. */
            member: components["schemas"]["Did"];
        } | {
            /** @constant */
            code: "vanished";
            /** @description What is known. */
            message: string;
        } | {
            /** @constant */
            code: "runner_silent";
            /**
             * Format: uint64
             * @description Seconds.
             */
            seconds: number;
        } | {
            /** @constant */
            code: "forge";
            /** @description Why. */
            message: string;
        } | {
            /** @constant */
            code: "storage";
            /** @description Why. */
            message: string;
        } | {
            /** @constant */
            code: "hindered";
            /** @description What, and what to do. */
            message: string;
        } | {
            /** @constant */
            code: "internal";
            /** @description Cause. */
            message: string;
        };
        /** @description One of several patches of a task, of which at most one is accepted: each by another device, which claimed the task. */
        Rival: {
            /** @description The patch. */
            patch: components["schemas"]["PatchId"];
            /** @description Where it is. */
            state: components["schemas"]["PatchState"];
            /** @description Where it stands by its gate; of a patch that has not come from its device yet only whether it is merged or closed is known. */
            standing: components["schemas"]["PatchStanding"];
            /** @description The device whose claim it is of. */
            device: components["schemas"]["Did"];
            /** @description For whom that worked. */
            member?: components["schemas"]["Did"] | null;
            /** @description The run that made it last. */
            run?: components["schemas"]["RunId"] | null;
            /** @description Another device took the task over from that one. */
            taken_over: boolean;
            /** @description Who had it merged. */
            merged_by?: components["schemas"]["Did"] | null;
            /** @description From whose journal it is known, where that is another device's. */
            whose?: components["schemas"]["Whose"] | null;
        };
        /** @description The state of a patch, as Radicle says it. */
        PatchState: "draft" | "open" | "archived" | "merged";
        /** @description A task with where it is. */
        Shown2: {
            /** @description Its full name. */
            at: components["schemas"]["TaskRef"];
            /** @description What its file says. */
            task: components["schemas"]["Task"];
            /** @description Where it is. */
            state: components["schemas"]["TaskState"];
            /** @description From whose journal that is known, where another device claimed it. */
            whose?: components["schemas"]["Whose"] | null;
            /** @description Its patches, where several devices made one each: at most one is accepted. */
            rivals?: components["schemas"]["Rival"][];
            /** @description Why it is where it is, in words. */
            why: string;
            /** @description Its runs, newest first, whichever device asked for them. */
            runs: components["schemas"]["RunView"][];
        };
        /** @description A run with where it stands. */
        RunView: {
            /** @description Its id. */
            id: components["schemas"]["RunId"];
            /** @description The class of workload. */
            class: components["schemas"]["Class"];
            /** @description Its project. */
            project: components["schemas"]["ProjectName"];
            /** @description Its task, for agents' runs. */
            task?: components["schemas"]["TaskRef"] | null;
            /** @description Its agent. */
            agent?: components["schemas"]["AgentName"] | null;
            /** @description For whom. */
            member: components["schemas"]["Did"];
            /** @description Which device asked. */
            requester: components["schemas"]["Did"];
            /** @description Which device was asked for, where the person named one; it may be the requester itself. */
            on?: components["schemas"]["Did"] | null;
            /** @description Tags that its device must have, beside those of its project. */
            tags?: {
                [key: string]: string;
            };
            /** @description How important it is. */
            priority?: components["schemas"]["Priority"];
            /**
             * Format: uint32
             * @description How often its work gave way to more important work before this run took it up again.
             */
            gave_way?: number;
            /** @description The run on whose device it must not be. */
            apart?: components["schemas"]["ApartFrom"] | null;
            /**
             * @description Which device is asked for it, or was asked last while none has it: written before it is asked, so that after a crash the very
             *     same one is asked again.
             */
            asked?: components["schemas"]["Did"] | null;
            /** @description Devices that refused it, and why: of each the last time, the latest at the end. */
            refused?: components["schemas"]["Refused"][];
            /** @description What the device that executes it told last, where that is another: as of then everything here is known. */
            told?: components["schemas"]["Told"] | null;
            /** @description Which device executes, once leased. */
            device?: components["schemas"]["Did"] | null;
            /** @description Hash of the manifest, once it was made for placing. */
            manifest?: components["schemas"]["Hash"] | null;
            /** @description The blob that holds the manifest's signed envelope. */
            envelope?: components["schemas"]["Hash"] | null;
            /** @description Where it is. */
            state: components["schemas"]["RunState"];
            /** @description Why it is there, where that says something. */
            reason?: components["schemas"]["Reason"] | null;
            /**
             * @description Whether it is frozen, whoever wanted that; of one that waits, whether it is not placed because a person paused it.
             * @default false
             */
            paused: boolean;
            /** @description Who paused it, until a person lets it go on: so its work stays paused also where another run goes on with it. */
            paused_by?: components["schemas"]["Did"] | null;
            /** @description Commit it began from (agents) or checks (ci); known when it is placed. */
            base?: components["schemas"]["Oid"] | null;
            /** @description Hash of the spec it works from. */
            spec_hash?: components["schemas"]["Hash"] | null;
            /** @description The run that this goes on from. */
            continues?: components["schemas"]["RunId"] | null;
            /** @description The saved work that it begins with; known when it is placed. */
            from?: components["schemas"]["SavedWork"] | null;
            /** @description The saved work that it does without, because it could not be had; known when it is placed. */
            left?: components["schemas"]["LeftBehind"] | null;
            /**
             * @description Whether it does the patch's work anew on the present default branch, because merging it met conflicts.
             * @default false
             */
            rebase: boolean;
            /** @description The run whose work this judges. */
            subject?: components["schemas"]["RunId"] | null;
            /**
             * Format: uint32
             * @description How often this task was taken up by itself after a loss.
             * @default 0
             */
            attempt: number;
            /** @description Its lease. */
            lease?: components["schemas"]["LeaseId"] | null;
            /** @description The lease ends then, unless its runner is heard of. */
            lease_until?: components["schemas"]["Timestamp"] | null;
            /** @description What of its device is reserved for it. */
            reserved?: components["schemas"]["Resources"] | null;
            /** @description Why it is to end, where somebody asked for that; it ends once its work is saved. */
            ending?: components["schemas"]["Reason"] | null;
            /**
             * Format: uint32
             * @description How often it was put back into the queue because something that passes kept it from starting.
             * @default 0
             */
            tries: number;
            /**
             * Format: uint32
             * @description How often it was found without anything that drove it, and taken up.
             * @default 0
             */
            recovered: number;
            /** @description Its key, once born. */
            key?: components["schemas"]["Did"] | null;
            /** @description The blob that holds the delegation of its key. */
            delegation?: components["schemas"]["Hash"] | null;
            /** @description The last checkpoint of its worktree. */
            checkpoint?: components["schemas"]["Oid"] | null;
            /**
             * @description The checkpoint of it that lies on the device whose journal tells this: where it was executed; and, as soon as it arrived there,
             *     where it was asked for.
             */
            held?: components["schemas"]["Oid"] | null;
            /** @description From when on that checkpoint may be removed from this device, where it is a guest's that nobody brings away. */
            goes?: components["schemas"]["Timestamp"] | null;
            /** @description The commit that it made. */
            commit?: components["schemas"]["Oid"] | null;
            /** @description What was left out of its commit, or is odd there, in words. */
            notes?: string[];
            /** @description Files that are in neither commit nor checkpoint: its folder is kept aside. */
            kept?: components["schemas"]["LeftOut"] | null;
            /** @description The patch that it opened or continued. */
            patch?: components["schemas"]["PatchId"] | null;
            /** @description The revision that it made. */
            revision?: components["schemas"]["RevisionId"] | null;
            /**
             * @description What the counting checks said.
             * @default []
             */
            checks: components["schemas"]["CheckResult"][];
            /** @description The blob that holds these results as the `ci` run signed them. */
            checked?: components["schemas"]["Hash"] | null;
            /**
             * @description What it used of its model.
             * @default {
             *       "calls": 0,
             *       "input_tokens": 0,
             *       "cached_tokens": 0,
             *       "output_tokens": 0
             *     }
             */
            usage: components["schemas"]["Usage"];
            /**
             * @description Questions of the engine that wait for a person.
             * @default []
             */
            questions: components["schemas"]["Question"][];
            /**
             * Format: uint64
             * @description How many more there were than are listed.
             */
            questions_more?: number;
            /** @description Messages of people that the agent did not get, or not yet. */
            messages?: components["schemas"]["Message"][];
            /**
             * Format: uint64
             * @description How many more there were than are listed.
             */
            messages_more?: number;
            /**
             * @description What the sandbox stopped.
             * @default []
             */
            violations: string[];
            /**
             * Format: uint64
             * @description How many more there were than are listed.
             */
            violations_more?: number;
            /**
             * @description Where it was, and since when; oldest first.
             * @default []
             */
            phases: components["schemas"]["Phase"][];
            /** @description When it was queued. */
            queued_at: components["schemas"]["Timestamp"];
            /** @description When it was leased. */
            started_at?: components["schemas"]["Timestamp"] | null;
            /** @description When it ended. */
            ended_at?: components["schemas"]["Timestamp"] | null;
            /** @description Where it stands: as its state, or what keeps it from going on there. */
            stands: components["schemas"]["Stands"];
        };
        /** @description The class of a workload. */
        Class: "agent" | "ci" | "job" | "docs" | "scan" | "service";
        /** @description How important a workload is, against others that want the same room. */
        Priority: "low" | "normal" | "high";
        /** @description A run on whose device another must not be, as for a review that is to be independent, or a second attempt. */
        ApartFrom: {
            /** @description The run. */
            run: components["schemas"]["RunId"];
            /** @description The device that has it, or had it. */
            device: components["schemas"]["Did"];
        };
        /** @description A device's refusal of a run. */
        Refused: {
            /** @description The device. */
            device: components["schemas"]["Did"];
            /** @description Why. */
            reasons: components["schemas"]["Refusal"][];
            /** @description When. */
            at: components["schemas"]["Timestamp"];
        };
        /** @description Why a device does not run a workload. */
        Refusal: {
            /** @constant */
            code: "class";
            /** @description The class. */
            class: components["schemas"]["Class"];
        } | {
            /** @constant */
            code: "runtime";
            /** @description What was asked for; none means any. */
            wanted: components["schemas"]["Runtime"] | null;
        } | {
            /** @constant */
            code: "tag";
            /** @description The tag. */
            tag: string;
            /** @description The value asked for. */
            wanted: string;
            /** @description The value there. */
            has: string | null;
        } | {
            /** @constant */
            code: "too_small";
            /** @description Of what. */
            resource: string;
            /**
             * Format: uint64
             * @description What it has in all.
             */
            has: number;
            /**
             * Format: uint64
             * @description What was asked.
             */
            wanted: number;
        } | {
            /** @constant */
            code: "busy";
            /** @description Of what. */
            resource: string;
            /**
             * Format: uint64
             * @description What is free.
             */
            free: number;
            /**
             * Format: uint64
             * @description What was asked.
             */
            wanted: number;
        } | {
            /** @constant */
            code: "no_slot";
            /**
             * Format: uint32
             * @description How many it has.
             */
            slots: number;
        } | {
            /** @constant */
            code: "other_orgs";
            /** @description What they use. */
            taken: components["schemas"]["Lane"];
        } | {
            /** @constant */
            code: "queue";
            /** @description Where it stands. */
            place: components["schemas"]["QueuePlace"];
        } | {
            /** @constant */
            code: "makes_room";
            /**
             * Format: uint
             * @description How many.
             */
            runs: number;
        } | {
            /** @constant */
            code: "not_known";
            /** @description Why. */
            message: string;
        } | {
            /** @constant */
            code: "expired";
        } | {
            /** @constant */
            code: "manifest";
            /** @description Why. */
            message: string;
        } | {
            /** @constant */
            code: "not_allowed";
            /** @description Why. */
            message: string;
        } | {
            /** @constant */
            code: "halted";
            /** @description Which, and why. */
            message: string;
        } | {
            /** @constant */
            code: "engine";
            /** @description Which. */
            engine: string;
        } | {
            /** @constant */
            code: "closing";
        } | {
            /** @constant */
            code: "reclaimed";
            /** @description Why. */
            why: components["schemas"]["Reclaim"];
        } | {
            /** @constant */
            code: "sent_away";
            /** @description Until when it does not take it again. */
            until: components["schemas"]["Timestamp"];
        } | {
            /** @constant */
            code: "suspected";
        } | {
            /** @constant */
            code: "not_shared";
        } | {
            /** @constant */
            code: "refused_before";
            /** @description What it said. */
            message: string;
        } | {
            /** @constant */
            code: "leased_before";
        } | {
            /** @constant */
            code: "anti_affinity";
            /** @description From what it has to be apart. */
            message: string;
        };
        /** @description Where a device runs things. */
        Runtime: "local" | "kubernetes";
        /** @description What runs of one kind take of a machine. */
        Lane: {
            /**
             * Format: uint32
             * @description Slots that they hold.
             * @default 0
             */
            slots: number;
            /**
             * @description What is reserved for those that compute.
             * @default {
             *       "cpu_milli": 0,
             *       "memory_bytes": 0,
             *       "disk_bytes": 0,
             *       "gpus": 0
             *     }
             */
            reserved: components["schemas"]["Resources"];
        };
        /** @description An amount of a machine. */
        Resources: {
            /**
             * Format: uint64
             * @description Thousandths of a processor core.
             * @default 0
             */
            cpu_milli: number;
            /**
             * Format: uint64
             * @description Memory, in bytes.
             * @default 0
             */
            memory_bytes: number;
            /**
             * Format: uint64
             * @description Disk, in bytes.
             * @default 0
             */
            disk_bytes: number;
            /**
             * Format: uint32
             * @description Whole GPUs.
             * @default 0
             */
            gpus: number;
        };
        /** @description A run's place in the queue of a device. */
        QueuePlace: {
            /**
             * Format: uint32
             * @description From 1.
             */
            place: number;
            /**
             * Format: uint32
             * @description How many wait there.
             */
            of: number;
            /** @description The one just in front of it. */
            behind?: components["schemas"]["QueuedBehind"] | null;
        };
        /** @description What stands in front of a run. */
        QueuedBehind: {
            /** @description The name of the member whose run that is. */
            member: string;
            /** @description Why it is in front. */
            why: components["schemas"]["Ahead"];
        };
        /** @description Why a run stands in front of another. */
        Ahead: "priority" | "waited" | "share" | "class";
        /** @description Why a device is its owner's alone. */
        Reclaim: {
            /** @constant */
            code: "asked";
            /** @description Until when; none: until they lend it again. */
            until?: components["schemas"]["Timestamp"] | null;
        } | {
            /** @constant */
            code: "never";
        } | {
            /** @constant */
            code: "unread";
        } | {
            /** @constant */
            code: "present";
        } | {
            /** @constant */
            code: "battery";
        } | {
            /** @constant */
            code: "lid";
        } | {
            /** @constant */
            code: "hours";
        };
        /** @description Where a fact comes from that another device told. */
        Told: {
            /** @description The device, which executes the run. */
            device: components["schemas"]["Did"];
            /**
             * Format: uint64
             * @description The fact's number in that device's journal.
             */
            seq: number;
            /** @description When it was heard here, by this device's clock. */
            heard_at: components["schemas"]["Timestamp"];
        };
        /** @description A BLAKE3 hash, in hexadecimal: of a blob, a manifest, an event, a spec. */
        Hash: string;
        /** @description Where a run is. */
        RunState: "queued" | "placing" | "starting" | "preparing" | "working" | "verifying" | "publishing" | "done" | "failed" | "cancelled" | "evicted" | "lost";
        /** @description The saved work of a run. */
        SavedWork: {
            /** @description Whose work it is. */
            run: components["schemas"]["RunId"];
            /** @description The device that executed that run, and saved it. */
            device: components["schemas"]["Did"];
            /** @description The checkpoint: a commit beside the project's storage, whose parent is the one that the run began from. */
            commit: components["schemas"]["Oid"];
        };
        /** @description Saved work that the next run does without. It stays where it is, as far as it is there still. */
        LeftBehind: {
            /** @description What. */
            work: components["schemas"]["SavedWork"];
            /** @description Why it could not be had, in words. */
            why: string;
        };
        /** @description The bounded right to run a workload on a device. */
        LeaseId: string;
        /** @description Files that are in no commit: ignored, too large, unreadable, or of a kind that git does not know. */
        LeftOut: {
            /** @description Which, with the reason where it is not that they are ignored. */
            files: string[];
            /**
             * Format: uint64
             * @description How many more.
             */
            more: number;
        };
        /** @description The result of one check. */
        CheckResult: {
            /** @description Which. */
            name: string;
            /** @description Whether it succeeded. */
            passed: boolean;
            /**
             * Format: int32
             * @description Its exit code; none when it was ended by a signal or a limit.
             */
            exit_code?: number | null;
            /**
             * Format: uint64
             * @description How long it took, in milliseconds.
             */
            duration_ms: number;
            /** @description The end of its output. */
            tail?: string;
        };
        /** @description Tokens as the provider's own usage fields count them. */
        Usage: {
            /**
             * Format: uint64
             * @description Calls that reached the provider.
             */
            calls: number;
            /**
             * Format: uint64
             * @description Tokens read, cached ones among them.
             */
            input_tokens: number;
            /**
             * Format: uint64
             * @description Tokens read from the provider's cache.
             */
            cached_tokens: number;
            /**
             * Format: uint64
             * @description Tokens written into the provider's cache, where it counts them; they are among the read ones.
             */
            cache_written_tokens?: number;
            /**
             * Format: uint64
             * @description Tokens written, reasoning among them.
             */
            output_tokens: number;
            /** @description What it cost, as far as prices are known. */
            cost?: components["schemas"]["Money"];
            /**
             * Format: uint64
             * @description Calls whose price nobody knows: their cost is not nothing, it is unknown.
             */
            unpriced_calls?: number;
        };
        /** @description An amount of money, never negative. Written as a decimal text, as `"12.50"`: neither TOML's nor JSON's numbers are exact. */
        Money: string;
        /** @description A message of a person to an agent. Its text is a blob. */
        Message: {
            /**
             * Format: uint64
             * @description The order's number within the run.
             */
            order: number;
            /** @description Who sent it. */
            by: components["schemas"]["Did"];
            /** @description When. */
            at: components["schemas"]["Timestamp"];
            /** @description The text. */
            text: components["schemas"]["Hash"];
            /** @description Why the agent will not get it. */
            why?: string | null;
        };
        /** @description A state that a run entered. */
        Phase: {
            /** @description Which. */
            state: components["schemas"]["RunState"];
            /** @description When. */
            at: components["schemas"]["Timestamp"];
        };
        /** @description Where a run stands: its state, or what keeps it from going on there. */
        Stands: "queued" | "placing" | "starting" | "preparing" | "working" | "verifying" | "publishing" | "done" | "failed" | "cancelled" | "evicted" | "lost" | "halted" | "paused" | "frozen" | "ending";
        Started: {
            /**
             * Format: uint64
             * @description The journal's last event before: what became of the runs comes after it.
             */
            seq: number;
            runs: components["schemas"]["StartedRun"][];
            /** @description Tasks that were left out, and why. */
            skipped: components["schemas"]["Skipped"][];
            /** @description What keeps some of them from starting at once, a sentence each. */
            notices: string[];
        };
        StartedRun: {
            task: components["schemas"]["TaskId"];
            run: components["schemas"]["RunId"];
        };
        Skipped: {
            task: components["schemas"]["TaskId"];
            why: string;
        };
        Written: {
            task: components["schemas"]["TaskId"];
            feature: components["schemas"]["FeatureId"];
            commit: components["schemas"]["Oid"];
            /** @description The command that brings it into a working copy. */
            pull: string;
        };
        /** @description Where a task runs, and why there. */
        Why: {
            /** @description The task. */
            task: components["schemas"]["TaskRef"];
            /** @description Its run that waits or goes on, else its last; none: it has none, and this is what would become of one. */
            run?: components["schemas"]["RunId"] | null;
            /** @description Where that is. */
            state?: components["schemas"]["RunState"] | null;
            /** @description The same in words. */
            why: string;
            /** @description The device that has it, or that is asked for it. */
            device?: components["schemas"]["Did"] | null;
            /** @description That device, where it executes the run and is away: as of then its state is known. */
            away?: components["schemas"]["Whose"] | null;
            /** @description The device that a person wants it on. */
            on?: components["schemas"]["Did"] | null;
            /** @description Tags that its device must have. */
            tags: {
                [key: string]: string;
            };
            /** @description What it needs. */
            resources: components["schemas"]["Resources"];
            /** @description What the planner says of the devices now. */
            decision: components["schemas"]["Decision"];
            /** @description Every device of the org, this one first. */
            devices: components["schemas"]["DeviceWhy"][];
            /** @description Its patches, where several devices made one each: at most one is accepted. */
            rivals: components["schemas"]["Rival"][];
        };
        /** @description The planner's decision: every device's verdict, best first. */
        Decision: {
            /** @description Devices that could, in the order in which they are asked; of these [`crate::limits::ASK_MAX`] are. */
            order: components["schemas"]["Did"][];
            /** @description All verdicts. */
            verdicts: components["schemas"]["DeviceVerdict"][];
        };
        /** @description What the planner says of one device. */
        DeviceVerdict: {
            /** @description The device. */
            device: components["schemas"]["Did"];
            /** @description Why not; empty when it could. */
            refusals: components["schemas"]["Refusal"][];
            /**
             * Format: int64
             * @description How well it suits, higher is better: the points of all parts together. 0 when it cannot.
             */
            score: number;
            /** @description What the score is made of; empty when it cannot. */
            parts?: components["schemas"]["Part"][];
        };
        /** @description A part of a score. */
        Part: {
            /** @description What speaks for the device. */
            what: components["schemas"]["Merit"];
            /**
             * Format: uint32
             * @description How much.
             */
            points: number;
        };
        /** @description What speaks for a device. */
        Merit: "fit" | "data" | "warm" | "share" | "distance" | "own";
        /** @description What there is to say of one device. */
        DeviceWhy: {
            /** @description The device. */
            device: components["schemas"]["Did"];
            /** @description What people call it. */
            name: string;
            /** @description The member who owns it. */
            owner: string;
            /** @description Whether it is this one. */
            here: boolean;
            /**
             * Format: uint
             * @description The how manieth it would be asked now, from 1; none: it would not be.
             */
            place?: number | null;
            /**
             * Format: int64
             * @description How well it suits, higher is better; 0 when it cannot take it.
             */
            score: number;
            /** @description What that is made of. */
            parts: components["schemas"]["Part"][];
            /** @description Why it cannot take it now. */
            refusals: components["schemas"]["Refusal"][];
            /** @description Where this very run stands in its queue, where others wait there too. */
            queue?: components["schemas"]["QueuePlace"] | null;
            /** @description What it said when it was asked for this very run. */
            said?: components["schemas"]["Refused"] | null;
            /** @description All of it in words. */
            why: string;
        };
        /** @description A run in a list. */
        Listed: {
            /** @description Its id. */
            id: components["schemas"]["RunId"];
            /** @description The class of workload. */
            class: components["schemas"]["Class"];
            /** @description Its project. */
            project: components["schemas"]["ProjectName"];
            /** @description Its task, for agents' runs. */
            task?: components["schemas"]["TaskRef"] | null;
            /** @description Its agent. */
            agent?: components["schemas"]["AgentName"] | null;
            /** @description For whom. */
            member: components["schemas"]["Did"];
            /** @description Which device asked. */
            requester: components["schemas"]["Did"];
            /** @description Which device was asked for, where the person named one; it may be the requester itself. */
            on?: components["schemas"]["Did"] | null;
            /** @description Tags that its device must have, beside those of its project. */
            tags?: {
                [key: string]: string;
            };
            /** @description How important it is. */
            priority?: components["schemas"]["Priority"];
            /**
             * Format: uint32
             * @description How often its work gave way to more important work before this run took it up again.
             */
            gave_way?: number;
            /** @description The run on whose device it must not be. */
            apart?: components["schemas"]["ApartFrom"] | null;
            /**
             * @description Which device is asked for it, or was asked last while none has it: written before it is asked, so that after a crash the very
             *     same one is asked again.
             */
            asked?: components["schemas"]["Did"] | null;
            /** @description Devices that refused it, and why: of each the last time, the latest at the end. */
            refused?: components["schemas"]["Refused"][];
            /** @description What the device that executes it told last, where that is another: as of then everything here is known. */
            told?: components["schemas"]["Told"] | null;
            /** @description Which device executes, once leased. */
            device?: components["schemas"]["Did"] | null;
            /** @description Hash of the manifest, once it was made for placing. */
            manifest?: components["schemas"]["Hash"] | null;
            /** @description The blob that holds the manifest's signed envelope. */
            envelope?: components["schemas"]["Hash"] | null;
            /** @description Where it is. */
            state: components["schemas"]["RunState"];
            /** @description Why it is there, where that says something. */
            reason?: components["schemas"]["Reason"] | null;
            /**
             * @description Whether it is frozen, whoever wanted that; of one that waits, whether it is not placed because a person paused it.
             * @default false
             */
            paused: boolean;
            /** @description Who paused it, until a person lets it go on: so its work stays paused also where another run goes on with it. */
            paused_by?: components["schemas"]["Did"] | null;
            /** @description Commit it began from (agents) or checks (ci); known when it is placed. */
            base?: components["schemas"]["Oid"] | null;
            /** @description Hash of the spec it works from. */
            spec_hash?: components["schemas"]["Hash"] | null;
            /** @description The run that this goes on from. */
            continues?: components["schemas"]["RunId"] | null;
            /** @description The saved work that it begins with; known when it is placed. */
            from?: components["schemas"]["SavedWork"] | null;
            /** @description The saved work that it does without, because it could not be had; known when it is placed. */
            left?: components["schemas"]["LeftBehind"] | null;
            /**
             * @description Whether it does the patch's work anew on the present default branch, because merging it met conflicts.
             * @default false
             */
            rebase: boolean;
            /** @description The run whose work this judges. */
            subject?: components["schemas"]["RunId"] | null;
            /**
             * Format: uint32
             * @description How often this task was taken up by itself after a loss.
             * @default 0
             */
            attempt: number;
            /** @description Its lease. */
            lease?: components["schemas"]["LeaseId"] | null;
            /** @description The lease ends then, unless its runner is heard of. */
            lease_until?: components["schemas"]["Timestamp"] | null;
            /** @description What of its device is reserved for it. */
            reserved?: components["schemas"]["Resources"] | null;
            /** @description Why it is to end, where somebody asked for that; it ends once its work is saved. */
            ending?: components["schemas"]["Reason"] | null;
            /**
             * Format: uint32
             * @description How often it was put back into the queue because something that passes kept it from starting.
             * @default 0
             */
            tries: number;
            /**
             * Format: uint32
             * @description How often it was found without anything that drove it, and taken up.
             * @default 0
             */
            recovered: number;
            /** @description Its key, once born. */
            key?: components["schemas"]["Did"] | null;
            /** @description The blob that holds the delegation of its key. */
            delegation?: components["schemas"]["Hash"] | null;
            /** @description The last checkpoint of its worktree. */
            checkpoint?: components["schemas"]["Oid"] | null;
            /**
             * @description The checkpoint of it that lies on the device whose journal tells this: where it was executed; and, as soon as it arrived there,
             *     where it was asked for.
             */
            held?: components["schemas"]["Oid"] | null;
            /** @description From when on that checkpoint may be removed from this device, where it is a guest's that nobody brings away. */
            goes?: components["schemas"]["Timestamp"] | null;
            /** @description The commit that it made. */
            commit?: components["schemas"]["Oid"] | null;
            /** @description What was left out of its commit, or is odd there, in words. */
            notes?: string[];
            /** @description Files that are in neither commit nor checkpoint: its folder is kept aside. */
            kept?: components["schemas"]["LeftOut"] | null;
            /** @description The patch that it opened or continued. */
            patch?: components["schemas"]["PatchId"] | null;
            /** @description The revision that it made. */
            revision?: components["schemas"]["RevisionId"] | null;
            /**
             * @description What the counting checks said.
             * @default []
             */
            checks: components["schemas"]["CheckResult"][];
            /** @description The blob that holds these results as the `ci` run signed them. */
            checked?: components["schemas"]["Hash"] | null;
            /**
             * @description What it used of its model.
             * @default {
             *       "calls": 0,
             *       "input_tokens": 0,
             *       "cached_tokens": 0,
             *       "output_tokens": 0
             *     }
             */
            usage: components["schemas"]["Usage"];
            /**
             * @description Questions of the engine that wait for a person.
             * @default []
             */
            questions: components["schemas"]["Question"][];
            /**
             * Format: uint64
             * @description How many more there were than are listed.
             */
            questions_more?: number;
            /** @description Messages of people that the agent did not get, or not yet. */
            messages?: components["schemas"]["Message"][];
            /**
             * Format: uint64
             * @description How many more there were than are listed.
             */
            messages_more?: number;
            /**
             * @description What the sandbox stopped.
             * @default []
             */
            violations: string[];
            /**
             * Format: uint64
             * @description How many more there were than are listed.
             */
            violations_more?: number;
            /**
             * @description Where it was, and since when; oldest first.
             * @default []
             */
            phases: components["schemas"]["Phase"][];
            /** @description When it was queued. */
            queued_at: components["schemas"]["Timestamp"];
            /** @description When it was leased. */
            started_at?: components["schemas"]["Timestamp"] | null;
            /** @description When it ended. */
            ended_at?: components["schemas"]["Timestamp"] | null;
            /** @description Where it stands: as its state, or what keeps it from going on there. */
            stands: components["schemas"]["Stands"];
            /** @description Why it is where it is, in words. */
            why?: string | null;
            /** @description From whose journal it is known, where that is another device's. */
            whose?: components["schemas"]["Whose"] | null;
            /** @description The other device that executes it, where that is away: as of then its state is known. */
            away?: components["schemas"]["Whose"] | null;
        };
        /** @description A run with where it stands. */
        Shown3: {
            /** @description Its id. */
            id: components["schemas"]["RunId"];
            /** @description The class of workload. */
            class: components["schemas"]["Class"];
            /** @description Its project. */
            project: components["schemas"]["ProjectName"];
            /** @description Its task, for agents' runs. */
            task?: components["schemas"]["TaskRef"] | null;
            /** @description Its agent. */
            agent?: components["schemas"]["AgentName"] | null;
            /** @description For whom. */
            member: components["schemas"]["Did"];
            /** @description Which device asked. */
            requester: components["schemas"]["Did"];
            /** @description Which device was asked for, where the person named one; it may be the requester itself. */
            on?: components["schemas"]["Did"] | null;
            /** @description Tags that its device must have, beside those of its project. */
            tags?: {
                [key: string]: string;
            };
            /** @description How important it is. */
            priority?: components["schemas"]["Priority"];
            /**
             * Format: uint32
             * @description How often its work gave way to more important work before this run took it up again.
             */
            gave_way?: number;
            /** @description The run on whose device it must not be. */
            apart?: components["schemas"]["ApartFrom"] | null;
            /**
             * @description Which device is asked for it, or was asked last while none has it: written before it is asked, so that after a crash the very
             *     same one is asked again.
             */
            asked?: components["schemas"]["Did"] | null;
            /** @description Devices that refused it, and why: of each the last time, the latest at the end. */
            refused?: components["schemas"]["Refused"][];
            /** @description What the device that executes it told last, where that is another: as of then everything here is known. */
            told?: components["schemas"]["Told"] | null;
            /** @description Which device executes, once leased. */
            device?: components["schemas"]["Did"] | null;
            /** @description Hash of the manifest, once it was made for placing. */
            manifest?: components["schemas"]["Hash"] | null;
            /** @description The blob that holds the manifest's signed envelope. */
            envelope?: components["schemas"]["Hash"] | null;
            /** @description Where it is. */
            state: components["schemas"]["RunState"];
            /** @description Why it is there, where that says something. */
            reason?: components["schemas"]["Reason"] | null;
            /**
             * @description Whether it is frozen, whoever wanted that; of one that waits, whether it is not placed because a person paused it.
             * @default false
             */
            paused: boolean;
            /** @description Who paused it, until a person lets it go on: so its work stays paused also where another run goes on with it. */
            paused_by?: components["schemas"]["Did"] | null;
            /** @description Commit it began from (agents) or checks (ci); known when it is placed. */
            base?: components["schemas"]["Oid"] | null;
            /** @description Hash of the spec it works from. */
            spec_hash?: components["schemas"]["Hash"] | null;
            /** @description The run that this goes on from. */
            continues?: components["schemas"]["RunId"] | null;
            /** @description The saved work that it begins with; known when it is placed. */
            from?: components["schemas"]["SavedWork"] | null;
            /** @description The saved work that it does without, because it could not be had; known when it is placed. */
            left?: components["schemas"]["LeftBehind"] | null;
            /**
             * @description Whether it does the patch's work anew on the present default branch, because merging it met conflicts.
             * @default false
             */
            rebase: boolean;
            /** @description The run whose work this judges. */
            subject?: components["schemas"]["RunId"] | null;
            /**
             * Format: uint32
             * @description How often this task was taken up by itself after a loss.
             * @default 0
             */
            attempt: number;
            /** @description Its lease. */
            lease?: components["schemas"]["LeaseId"] | null;
            /** @description The lease ends then, unless its runner is heard of. */
            lease_until?: components["schemas"]["Timestamp"] | null;
            /** @description What of its device is reserved for it. */
            reserved?: components["schemas"]["Resources"] | null;
            /** @description Why it is to end, where somebody asked for that; it ends once its work is saved. */
            ending?: components["schemas"]["Reason"] | null;
            /**
             * Format: uint32
             * @description How often it was put back into the queue because something that passes kept it from starting.
             * @default 0
             */
            tries: number;
            /**
             * Format: uint32
             * @description How often it was found without anything that drove it, and taken up.
             * @default 0
             */
            recovered: number;
            /** @description Its key, once born. */
            key?: components["schemas"]["Did"] | null;
            /** @description The blob that holds the delegation of its key. */
            delegation?: components["schemas"]["Hash"] | null;
            /** @description The last checkpoint of its worktree. */
            checkpoint?: components["schemas"]["Oid"] | null;
            /**
             * @description The checkpoint of it that lies on the device whose journal tells this: where it was executed; and, as soon as it arrived there,
             *     where it was asked for.
             */
            held?: components["schemas"]["Oid"] | null;
            /** @description From when on that checkpoint may be removed from this device, where it is a guest's that nobody brings away. */
            goes?: components["schemas"]["Timestamp"] | null;
            /** @description The commit that it made. */
            commit?: components["schemas"]["Oid"] | null;
            /** @description What was left out of its commit, or is odd there, in words. */
            notes?: string[];
            /** @description Files that are in neither commit nor checkpoint: its folder is kept aside. */
            kept?: components["schemas"]["LeftOut"] | null;
            /** @description The patch that it opened or continued. */
            patch?: components["schemas"]["PatchId"] | null;
            /** @description The revision that it made. */
            revision?: components["schemas"]["RevisionId"] | null;
            /**
             * @description What the counting checks said.
             * @default []
             */
            checks: components["schemas"]["CheckResult"][];
            /** @description The blob that holds these results as the `ci` run signed them. */
            checked?: components["schemas"]["Hash"] | null;
            /**
             * @description What it used of its model.
             * @default {
             *       "calls": 0,
             *       "input_tokens": 0,
             *       "cached_tokens": 0,
             *       "output_tokens": 0
             *     }
             */
            usage: components["schemas"]["Usage"];
            /**
             * @description Questions of the engine that wait for a person.
             * @default []
             */
            questions: components["schemas"]["Question"][];
            /**
             * Format: uint64
             * @description How many more there were than are listed.
             */
            questions_more?: number;
            /** @description Messages of people that the agent did not get, or not yet. */
            messages?: components["schemas"]["Message"][];
            /**
             * Format: uint64
             * @description How many more there were than are listed.
             */
            messages_more?: number;
            /**
             * @description What the sandbox stopped.
             * @default []
             */
            violations: string[];
            /**
             * Format: uint64
             * @description How many more there were than are listed.
             */
            violations_more?: number;
            /**
             * @description Where it was, and since when; oldest first.
             * @default []
             */
            phases: components["schemas"]["Phase"][];
            /** @description When it was queued. */
            queued_at: components["schemas"]["Timestamp"];
            /** @description When it was leased. */
            started_at?: components["schemas"]["Timestamp"] | null;
            /** @description When it ended. */
            ended_at?: components["schemas"]["Timestamp"] | null;
            /** @description Where it stands: as its state, or what keeps it from going on there. */
            stands: components["schemas"]["Stands"];
            /** @description From whose journal it is known, where that is another device's. */
            whose?: components["schemas"]["Whose"] | null;
            /** @description The other device that executes it, where that is away: as of then its state is known. */
            away?: components["schemas"]["Whose"] | null;
            /** @description Why it is where it is, in words. */
            why: string | null;
            /** @description Whether it waits until a person has reviewed and merged a patch. */
            waits_for_a_person?: boolean;
            /** @description What it may use of its model, as its manifest says. */
            budget?: components["schemas"]["Budget"] | null;
            /** @description Where the folder lies that is kept because it holds work which is in no patch. */
            kept_in?: string | null;
            /** @description Messages of people that its agent did not get, or not yet. */
            undelivered?: components["schemas"]["Undelivered"][];
        };
        /** @description What one run may use, or everything of a period. Enforced by the gateway before it forwards a call. */
        Budget: {
            /**
             * Format: uint64
             * @description Tokens read and written.
             * @default 20000000
             */
            tokens: number;
            /**
             * Format: uint64
             * @description Calls to the model.
             * @default 2000
             */
            calls: number;
            /** @description Money, in the currency of the org's prices. With it, a model whose price nobody knows is refused. */
            money?: components["schemas"]["Money"] | null;
        };
        /** @description A message that an agent did not get, or not yet. */
        Undelivered: {
            /** @description What it says. */
            text: string;
            /** @description Why the agent will not get it, where that is known. */
            why: string | null;
        };
        /** @description A page of a run's log. */
        LogPage: {
            /** @description The run. */
            run: components["schemas"]["RunId"];
            /** @description What was reported, in order. */
            lines: components["schemas"]["LogLine"][];
            /** @description Whether nothing will follow. */
            ended: boolean;
        };
        /** @description A line of a run's log. */
        LogLine: {
            /**
             * Format: uint64
             * @description Its number: for asking what comes after.
             */
            seq: number;
            /** @description When. */
            at: components["schemas"]["Timestamp"];
            /** @description What. */
            event: components["schemas"]["RunnerEvent"];
        };
        /** @description What a runner reports while a run goes on. Content: it lies in the run's log, not in the journal. */
        RunnerEvent: {
            /** @constant */
            type: "sandbox_ready";
            /**
             * Format: uint64
             * @description Microseconds from spawn until the bridge accepted.
             */
            ready_us: number;
            /** @description How its limits are enforced, as `cgroup v1`. */
            limits: string;
        } | {
            /** @constant */
            type: "engine_ready";
            /** @description Its name and version. */
            name: string;
            /** @description Its session's id. */
            session: string;
            /** @description Whether this is a replay of a recording. */
            replay: boolean;
        } | {
            /** @constant */
            type: "turn_started";
            /**
             * Format: uint32
             * @description Counts from 1.
             */
            turn: number;
            /** @description What was asked; only what is longer than the longest message of a person is cut. */
            prompt: string;
        } | ({
            /** @constant */
            type: "turn_ended";
        } & ({
            /** @constant */
            outcome: "ended";
        } | {
            /** @constant */
            outcome: "cancelled";
        } | {
            /** @constant */
            outcome: "failed";
            /** @description Why. */
            reason: components["schemas"]["Reason"];
        })) | {
            /** @constant */
            type: "message";
            /** @description A piece of it. */
            text: string;
        } | {
            /** @constant */
            type: "thought";
            /** @description A piece of it. */
            text: string;
        } | {
            /** @constant */
            type: "plan";
            /** @description Its steps. */
            steps: components["schemas"]["PlanStep"][];
        } | {
            /** @constant */
            type: "tool";
            /** @description The call's id. */
            id: string;
            /** @description In words; empty when unchanged. */
            title: string;
            /** @description `pending`, `in_progress`, `completed`, `failed`; empty when unchanged. */
            status: string;
            /** @description Its output, cut. */
            output?: string;
        } | {
            /** @constant */
            type: "log";
            /** @description `stdout`, `stderr` or `runner`. */
            stream: string;
            /** @description Text, perhaps with ANSI colours. */
            text: string;
        } | {
            /** @constant */
            type: "truncated";
            /**
             * Format: uint64
             * @description How many bytes were dropped.
             */
            dropped_bytes: number;
        } | {
            /** @constant */
            type: "context";
            /**
             * Format: uint64
             * @description Tokens in use.
             */
            used: number;
            /**
             * Format: uint64
             * @description Tokens there are.
             */
            size: number;
        } | {
            /** @constant */
            type: "asked";
            /** @description The question. */
            question: components["schemas"]["Question"];
        } | {
            /** @constant */
            type: "answered";
            /** @description Its id. */
            id: string;
            /** @description The option chosen; none when it was withdrawn or timed out. */
            option: string | null;
        } | {
            /** @constant */
            type: "check_started";
            /** @description Which. */
            name: string;
        } | {
            /** @constant */
            type: "check_ended";
            /** @description How. */
            result: components["schemas"]["CheckResult"];
        } | {
            /** @constant */
            type: "violation";
            /** @description What, in words. */
            what: string;
        } | {
            /** @constant */
            type: "paused";
        } | {
            /** @constant */
            type: "resumed";
        } | {
            /** @constant */
            type: "message_delivered";
            /**
             * Format: uint64
             * @description The order's id.
             */
            order: number;
        } | {
            /** @constant */
            type: "checks_signed";
            /** @description The signed envelope. */
            envelope: unknown;
        } | {
            /** @constant */
            type: "work_ended";
            /** @description Why. */
            reason: components["schemas"]["Reason"];
            /** @description Results of the checks, where the job was checks. */
            checks: components["schemas"]["CheckResult"][];
        };
        /** @description A step of an engine's plan. */
        PlanStep: {
            /** @description What. */
            text: string;
            /** @description `pending`, `in_progress` or `completed`. */
            status: string;
        };
        Diff: {
            /** @description Unified; none while nothing was saved yet. */
            diff: string | null;
            /** @description Whether it is the run's commit, and not a checkpoint on the way. */
            whole: boolean;
        };
        /** @description A folder of a run that is kept. */
        KeptView: {
            /** @description The run. */
            run: components["schemas"]["RunId"];
            /** @description Its task. */
            task: components["schemas"]["TaskRef"] | null;
            /** @description Where it lies. */
            path: string;
            /**
             * Format: uint64
             * @description How large it is.
             */
            bytes: number;
            /** @description What is in no patch. */
            left_out: components["schemas"]["LeftOut"] | null;
        };
        /** @description A patch in a list. */
        Listed2: {
            /** @description Its id. */
            id: components["schemas"]["PatchId"];
            /** @description The project. */
            project: components["schemas"]["ProjectName"];
            /** @description Its title. */
            title: string;
            /** @description The latest description, without the trace. */
            description: string;
            /** @description Its state. */
            state: components["schemas"]["PatchState"];
            /** @description The key that opened it. */
            author: components["schemas"]["Did"];
            /** @description The commit that it would bring. */
            head: components["schemas"]["Oid"];
            /** @description The commit that it began from. */
            base: components["schemas"]["Oid"];
            /** @description The commit on the default branch by which it was merged. */
            merged_as?: components["schemas"]["Oid"] | null;
            /** @description Whose key marked it as merged. */
            merged_by?: components["schemas"]["Did"] | null;
            /** @description Whose newest words in it do not count, though they were said in knowledge of its latest revision: keys. */
            left_out?: components["schemas"]["Did"][];
            /** @description Its revisions, oldest first. */
            revisions: components["schemas"]["Revision"][];
            /** @description The trace of the latest revision, where a run made it. */
            trace?: components["schemas"]["Trace"] | null;
            /** @description Where it stands. */
            standing: components["schemas"]["PatchStanding"];
            /** @description Whose word it is, where that is another device's. */
            whose?: components["schemas"]["Whose"] | null;
        };
        /** @description One revision of a patch. */
        Revision: {
            /** @description Its id. */
            id: components["schemas"]["RevisionId"];
            /** @description The key that made it. */
            author: components["schemas"]["Did"];
            /** @description Its commit. */
            head: components["schemas"]["Oid"];
            /** @description The commit that it began from. */
            base: components["schemas"]["Oid"];
            /** @description When. */
            at: components["schemas"]["Timestamp"];
            /** @description Its description. */
            description: string;
            /** @description Reviews of it. */
            reviews: components["schemas"]["Review"][];
            /** @description Comments on it, those on lines among them. */
            comments: components["schemas"]["Comment"][];
        };
        /** @description A review of a revision. */
        Review: {
            /** @description Who. */
            by: components["schemas"]["Did"];
            /** @description What they say; none where they gave neither a verdict nor words. */
            verdict: components["schemas"]["Verdict"] | null;
            /** @description In words. */
            summary: string;
            /** @description When. */
            at: components["schemas"]["Timestamp"];
            /** @description Comments that were written into the review itself, with other tools: Meshwork's, on lines too, are the revision's. */
            comments: components["schemas"]["Comment"][];
        };
        /** @description A verdict of a review. */
        Verdict: "accept" | "reject" | "comment";
        /** @description A comment, perhaps on a line. */
        Comment: {
            /** @description Its id. */
            id: components["schemas"]["Oid"];
            /** @description The comment that it answers. */
            reply_to?: components["schemas"]["Oid"] | null;
            /** @description Who. */
            by: components["schemas"]["Did"];
            /** @description Text. */
            body: string;
            /** @description When. */
            at: components["schemas"]["Timestamp"];
            /** @description Where, if on a line. */
            line?: components["schemas"]["LineRef"] | null;
        };
        /** @description A line of a file in a diff. */
        LineRef: {
            /** @description The file, from the repository's root. */
            path: string;
            /**
             * Format: uint32
             * @description The line, from 1.
             */
            line: number;
            /** @description Which side of the diff. */
            side: components["schemas"]["Side"];
        };
        /** @description A side of a diff. */
        Side: "old" | "new";
        /**
         * @description What travels with every patch that a run opens: who did it, for which task, from which spec, and what the checks said.
         *     It lies in the patch's description as a fenced block, so that any Radicle tool carries it.
         */
        Trace: {
            /**
             * Format: uint16
             * @description The trace's format.
             */
            version: number;
            /** @description The run that made the revision. */
            run: components["schemas"]["RunId"];
            /** @description The agent. */
            agent: components["schemas"]["AgentName"];
            /** @description The engine behind it, with its version where known. */
            engine: string;
            /** @description The member it acted for. */
            member: components["schemas"]["Did"];
            /** @description The task. */
            task: components["schemas"]["TaskRef"];
            /** @description Hash of the spec that it worked from. */
            spec_hash: components["schemas"]["Hash"];
            /** @description The commit of the canonical branch where that spec stood. */
            definitions: components["schemas"]["Oid"];
            /** @description The manifest's hash. */
            manifest: components["schemas"]["Hash"];
            /** @description The signed manifest, a DSSE envelope: what was asked, for which spec, by which device. */
            asked: unknown;
            /** @description The signed delegation of the run's key, a DSSE envelope. */
            delegation: unknown;
            /** @description The results of the checks as their own run signed them; none where it did not come to an end. */
            judged?: components["schemas"]["Judged"] | null;
            /** @description What the checks said about exactly this commit. */
            checks: components["schemas"]["CheckResult"][];
        };
        /** @description Signed results of checks, with what lets anyone verify them. */
        Judged: {
            /** @description The signed delegation of the `ci` run's key, a DSSE envelope. */
            delegation: unknown;
            /** @description The signed results, a DSSE envelope. */
            results: unknown;
        };
        /** @description A patch. */
        Shown4: {
            /** @description Its id. */
            id: components["schemas"]["PatchId"];
            /** @description The project. */
            project: components["schemas"]["ProjectName"];
            /** @description Its title. */
            title: string;
            /** @description The latest description, without the trace. */
            description: string;
            /** @description Its state. */
            state: components["schemas"]["PatchState"];
            /** @description The key that opened it. */
            author: components["schemas"]["Did"];
            /** @description The commit that it would bring. */
            head: components["schemas"]["Oid"];
            /** @description The commit that it began from. */
            base: components["schemas"]["Oid"];
            /** @description The commit on the default branch by which it was merged. */
            merged_as?: components["schemas"]["Oid"] | null;
            /** @description Whose key marked it as merged. */
            merged_by?: components["schemas"]["Did"] | null;
            /** @description Whose newest words in it do not count, though they were said in knowledge of its latest revision: keys. */
            left_out?: components["schemas"]["Did"][];
            /** @description Its revisions, oldest first. */
            revisions: components["schemas"]["Revision"][];
            /** @description The trace of the latest revision, where a run made it. */
            trace?: components["schemas"]["Trace"] | null;
            /** @description Where it stands. */
            standing: components["schemas"]["PatchStanding"];
            /** @description The command that brings what was merged into a working copy on this device; none for a patch that is not merged. */
            pull: string | null;
            /** @description What a merge still needs, in words; the checks on its result run when it is merged. */
            missing: string[];
            /** @description The state of its gate in words; none for a patch that is not open. */
            gate: string[];
            /** @description Whose approvals count, while it is open: a key of each. */
            approved_by: components["schemas"]["Did"][];
            /** @description Where its merge is, while somebody merges it. */
            merging: string | null;
            /** @description Files that change the rules by which the project is checked and run: look at them. */
            rules_changed: string[];
            /** @description Files that it changes. */
            files: components["schemas"]["FileChange"][];
            /** @description The patches of its task, itself among them, where several devices made one each: at most one is accepted. */
            rivals: components["schemas"]["Rival"][];
            /** @description Whose word it is, where that is another device's. */
            whose?: components["schemas"]["Whose"] | null;
        };
        FileChange: {
            path: string;
            /** Format: uint */
            added: number;
            /** Format: uint */
            removed: number;
        };
        Diff2: {
            /** @description Unified. */
            diff: string;
            /** @description The revision that is shown. */
            revision: components["schemas"]["RevisionId"];
            /** @description The revision that it is compared with. */
            since: components["schemas"]["RevisionId"] | null;
            /** @description What is to be known about the comparison, where the two begin from different commits. */
            note: string | null;
        };
        Commented: {
            patch: components["schemas"]["PatchId"];
            /** @description The comment's id. */
            comment: components["schemas"]["Oid"];
        };
        /** @description What became of a merge. */
        Outcome2: {
            /** @constant */
            outcome: "merged";
            /** @description The patch. */
            patch: components["schemas"]["PatchId"];
            /** @description The commit on the default branch. */
            commit: components["schemas"]["Oid"];
            /** @description Why its gate was open, in words. */
            gate: string;
            /** @description The command that brings it into a working copy. */
            pull: string;
            /** @description Rivals of it, of the same task, which were closed. */
            superseded?: components["schemas"]["PatchId"][];
        } | {
            /** @constant */
            outcome: "rebasing";
            /** @description The patch. */
            patch: components["schemas"]["PatchId"];
            /** @description Files that conflict. */
            paths: string[];
            /** @description The run. */
            run: components["schemas"]["RunId"];
        };
        /** @description An agent of an org. */
        AgentView: {
            /** @description Its name within the org. */
            name: components["schemas"]["AgentName"];
            /** @description What drives it. */
            engine: components["schemas"]["EngineChoice"];
            /** @description The member who answers for it. */
            answers: components["schemas"]["Did"];
            /** @description Where its model is, unless its engine needs none. */
            model?: components["schemas"]["Model"] | null;
            /**
             * @description What one run may cost.
             * @default {
             *       "tokens": 20000000,
             *       "calls": 2000
             *     }
             */
            budget: components["schemas"]["Budget"];
            /**
             * @description Whether tool calls that its engine asks about are allowed at once, or wait for a person.
             * @default sandbox
             */
            permissions: components["schemas"]["PermissionMode"];
            /** @description What it still needs on this machine, in words. */
            needs: string[];
            /** @description What its runs used this month by this device's gateway. */
            used: components["schemas"]["Usage"];
        };
        /** @description The coding CLI that an agent drives. */
        EngineChoice: {
            /** @constant */
            kind: "profile";
            /** @description The profile's name. */
            name: string;
        } | {
            /** @constant */
            kind: "acp";
            /** @description Program and arguments, as seen in the sandbox. */
            command: string[];
        } | {
            /** @constant */
            kind: "command";
            /** @description Given to `sh -c` in the worktree; the task's id is in `MESHWORK_TASK`, the prompt in the file `MESHWORK_PROMPT`. */
            command: string;
        } | {
            /** @constant */
            kind: "replay";
            /** @description The recording's path within the project's canonical branch; `{task}` stands for the task's id. */
            recording: string;
        };
        /** @description Where a model is reached, and what is asked of it. The key itself is in the vault of the member's own machine. */
        Model: {
            /** @description The model's name as its provider says it. */
            name: string;
            /** @description The provider's base address, up to and without `/chat/completions` and the like, as `https://api.openai.com/v1`. */
            base_url: string;
            /** @description Which wire form it speaks. */
            api: components["schemas"]["ModelApi"];
            /** @description The credential in the vault that holds its key. */
            credential: components["schemas"]["CredentialName"];
            /** @description What it costs; where nothing is said, as the org's `quotas.toml` says. */
            price?: components["schemas"]["Price"] | null;
        };
        /** @description The wire form of a model provider. */
        ModelApi: "responses" | "chat" | "messages" | "gemini";
        /** @description A credential's name in this machine's vault. */
        CredentialName: string;
        /** @description What a model costs, for a million tokens each. */
        Price: {
            /** @description Tokens read. */
            input: components["schemas"]["Money"];
            /** @description Tokens read from the provider's cache; as `input` where nothing is said. */
            cached_input?: components["schemas"]["Money"] | null;
            /** @description Tokens written into the provider's cache; a quarter more than `input` where nothing is said, as Anthropic has it. */
            cache_write?: components["schemas"]["Money"] | null;
            /** @description Tokens written. */
            output: components["schemas"]["Money"];
        };
        /** @description Who answers when an engine asks whether it may use a tool. Our sandbox is the boundary, so the default allows. */
        PermissionMode: "sandbox" | "ask";
        EngineView: {
            name: string;
            /** @description The version that the profile pins. */
            pinned: string;
            /** @description The version that is installed here. */
            installed: string | null;
        };
        /** @description What may be seen of a credential, and how it stands. */
        CredentialView: {
            /** @description Its name in this vault. */
            name: components["schemas"]["CredentialName"];
            /** @description Its sort. */
            kind: components["schemas"]["CredentialKind"];
            /** @description Whose it is, as `openai` or `github`: a hint for people; of the API key of a tailnet's server the address to which alone it goes. */
            provider?: string | null;
            /** @description Where it may be used. */
            scopes?: components["schemas"]["CredentialScope"][];
            /** @description When it was set. */
            created: components["schemas"]["Timestamp"];
            /** @description Of a login: how it stands. */
            login?: components["schemas"]["LoginStatus"] | null;
        };
        /** @description What sort of credential it is. */
        CredentialKind: "api-key" | "token" | "git-host" | "radicle-passphrase" | "obsidian" | "login" | "generic";
        /** @description Where a credential may be used. None at all: in every run of the member. */
        CredentialScope: {
            project: components["schemas"]["ProjectName"];
        } | {
            agent: components["schemas"]["AgentName"];
        };
        /** @description How a login stands. */
        LoginStatus: {
            /** @description What sort it is, in words; or why it cannot be used. */
            what: string;
            /** @description Whether it can be read. */
            good: boolean;
            /** @description Until when its access lasts; it is renewed before. None: its provider is asked at the next use. */
            until: components["schemas"]["Timestamp"] | null;
        };
        Tested: {
            /** @description Whether the provider took it. */
            good: boolean;
            /** @description What was found, in words. */
            message: string;
        };
        Shown5: {
            /** @description `quotas.toml` of the org. */
            quotas: components["schemas"]["Quotas"];
            /** @description What was used on this device, and of which limits. */
            used: components["schemas"]["QuotaUse"][];
        };
        /** @description What the org says of models and their use. Nothing said: any model, no limit but each run's own. */
        Quotas: {
            /**
             * Format: uint16
             * @description The file's version.
             */
            version: number;
            /**
             * @description Whether requests and answers of model calls are kept, as blobs that can be erased. Otherwise nothing of them is.
             * @default false
             */
            keep_content: boolean;
            /** @description The models that may be used: names, or beginnings of names with `*` at the end. None named: any. */
            models?: string[];
            /** @description What all may use together. */
            org?: components["schemas"]["Quota"] | null;
            /** @description What the runs of a member may use, by the member's name. */
            members?: {
                [key: string]: components["schemas"]["Quota"];
            };
            /** @description What the runs of an agent may use. */
            agents?: {
                [key: string]: components["schemas"]["Quota"];
            };
            /**
             * @description Hundredths of every quota that a device's gateway may spend, by the device's name. None named: equal parts, a member's
             *     quota among the devices of that member. Each gateway keeps to its own part, and to what the others leave as long as they may
             *     know other parts ([`part()`]), so that they do not overspend while they cannot talk.
             */
            shares?: {
                [key: string]: number;
            };
            /** @description What models cost. The first that fits counts. */
            price?: components["schemas"]["PriceOf"][];
        };
        /** @description How much may be used in a period. */
        Quota: {
            /**
             * @description The period.
             * @default month
             */
            period: components["schemas"]["Period"];
            /**
             * Format: uint64
             * @description Tokens read and written.
             */
            tokens?: number | null;
            /**
             * Format: uint64
             * @description Calls to models.
             */
            calls?: number | null;
            /** @description Money, in the currency of the prices. */
            money?: components["schemas"]["Money"] | null;
        };
        /** @description For how long a quota lasts; then it begins anew (UTC). */
        Period: "day" | "month";
        /** @description The price of one model, or of several whose names begin alike. */
        PriceOf: {
            /** @description The model's name, or its beginning with `*` at the end. */
            model: string;
            /** @description Only at this host, as `api.openai.com`. */
            host?: string | null;
            /** @description What a million tokens read cost. */
            input: components["schemas"]["Money"];
            /** @description Those from the provider's cache. */
            cached_input?: components["schemas"]["Money"] | null;
            /** @description Those written into the provider's cache. */
            cache_write?: components["schemas"]["Money"] | null;
            /** @description What a million tokens written cost. */
            output: components["schemas"]["Money"];
        };
        /** @description One budget and what was used of it, for people. */
        QuotaUse: {
            /** @description `org`, a member's or an agent's name. */
            whose: string;
            /** @description What it belongs to: `org`, `member` or `agent`. */
            of: string;
            /** @description The period. */
            period: components["schemas"]["Period"];
            /** @description The whole quota, for all devices together; no limit where it is null. */
            whole: components["schemas"]["Quota"] | null;
            /**
             * @description What this device's gateway may use in it: its part of the quota, or less while others hold more than theirs; no limit where it
             *     is null.
             */
            limit: components["schemas"]["Limit"] | null;
            /** @description What its gateway used in it. */
            used: components["schemas"]["Usage"];
            /** @description What the gateways of the other devices used in it, as far as their journals are here. */
            elsewhere: components["schemas"]["Usage"];
            /** @description A sentence for each device that tells that it used more of it than it was ever given: that is not counted. */
            warnings?: string[];
        };
        /** @description The limits of a quota, as they are on this device. */
        Limit: {
            /**
             * Format: uint64
             * @description Tokens.
             */
            tokens: number | null;
            /**
             * Format: uint64
             * @description Calls.
             */
            calls: number | null;
            /** @description Money. */
            money: components["schemas"]["Money"] | null;
            /**
             * @description The part of the whole that this device may spend, in words: `an equal part for each of 3 devices`; where it is less for now, how
             *     much and because of whom.
             */
            share: string;
        };
        /** @description An order, as a device knows it. */
        Stop: {
            /** @description The order. */
            order: components["schemas"]["Order"];
            /** @description The member's key that signed it. */
            by: components["schemas"]["Did"];
            /** @description The blob that holds the signed envelope which counts now: of the order, or of its lifting. */
            envelope: components["schemas"]["Hash"];
            /** @description The member's key that lifted it, once it is. */
            lifted_by?: components["schemas"]["Did"] | null;
            /** @description When it was lifted. */
            lifted_at?: components["schemas"]["Timestamp"] | null;
        };
        /** @description What is signed: an order, or that it is lifted. */
        Order: {
            /**
             * Format: uint16
             * @description The format's version.
             */
            version: number;
            /** @description The order's id: a ULID. Its lifting has the same. */
            id: string;
            /** @description The org. */
            org: components["schemas"]["OrgName"];
            /** @description The member's key that gives the order. Its lifting has the same, whoever lifts it. */
            by?: components["schemas"]["Did"] | null;
            /** @description What it halts. */
            scope: components["schemas"]["Scope"];
            /** @description Why, in words of who gave it. */
            why: string;
            /** @description When. */
            at: components["schemas"]["Timestamp"];
            /** @description Whether this lifts it. */
            lifts: boolean;
        };
        /** @description What an order halts. */
        Scope: {
            /** @constant */
            what: "agent";
            /** @description Its name. */
            name: components["schemas"]["AgentName"];
        } | {
            /** @constant */
            what: "member";
            /** @description Their name when it was ordered. */
            name: string;
            /** @description Their keys then: these are what counts. */
            keys: components["schemas"]["Did"][];
        } | {
            /** @constant */
            what: "device";
            /** @description Its name when it was ordered. */
            name: string;
            /** @description Its key: that is what counts. */
            device: components["schemas"]["Did"];
        } | {
            /** @constant */
            what: "org";
        };
        Created: {
            /** @description Its public id. */
            id: string;
            /** @description The token: keep it now, it is not shown again. */
            token: string;
            role: components["schemas"]["Role"];
        };
        TokenView: {
            id: string;
            role: components["schemas"]["Role"];
            label: string;
            created: components["schemas"]["Timestamp"];
            expires: components["schemas"]["Timestamp"] | null;
        };
        Shown6: {
            /** @description The commit of the org repository. */
            commit: components["schemas"]["Oid"];
            files: components["schemas"]["File"][];
            /** @description What is wrong with them; while there is something, only the built-in rules count. */
            mistakes: components["schemas"]["Mistake"][];
            /** @description What each role may. */
            roles: components["schemas"]["May"][];
            /** @description What each member may. */
            members: components["schemas"]["May"][];
        };
        /** @description A file of the policy. */
        File: {
            /** @description Its path, as `policy/team.cedar`. */
            path: string;
            /** @description What stands in it. */
            text: string;
        };
        /** @description A mistake in a file of policies. */
        Mistake: {
            /** @description The file's path in the org repository. */
            file: string;
            /**
             * Format: uint
             * @description From 1.
             */
            line: number;
            /** @description What is wrong. */
            message: string;
        };
        /** @description Who may what. */
        May: {
            /** @description A member's or a role's name. */
            who: string;
            /** @description What they may in the org as a whole, and with the device here. */
            permissions: components["schemas"]["Permission"][];
        };
        /** @description Whether somebody may, and why. */
        Explained: {
            who: string;
            action: string;
            /** @description The permission that the action is in the group of. */
            permission: components["schemas"]["Permission"];
            /** @description Whether it is allowed. */
            allowed: boolean;
            /** @description The rules that decided; none where no rule allows it. */
            rules: components["schemas"]["Rule"][];
            /** @description In words. */
            why: string;
        };
        /** @description A rule that decided. */
        Rule: {
            /** @description The file that it stands in, or `built in`. */
            file: string;
            /** @description Its `@id`, or its place in the file. */
            id: string;
            /** @description Its `@says`. */
            says?: string | null;
        };
        Checked: {
            /**
             * Format: uint
             * @description How many files were looked at.
             */
            files: number;
            /** @description What is wrong, with file and line. */
            mistakes: components["schemas"]["Mistake"][];
            /** @description What is in order, and hardly meant: what nobody could do any more with these files beside the org's others. */
            warnings: string[];
            /** @description What policies may speak of, in Cedar's own form. */
            schema: string;
        };
        /** @description A chain, from the work to where it was asked for and to where it was merged. */
        Chain: {
            /** @description What was asked about, in words. */
            about: string;
            /** @description The project. */
            project: components["schemas"]["ProjectName"];
            /** @description The links, in order. */
            links: components["schemas"]["Link"][];
            /** @description Whether every link is verified. */
            verified: boolean;
        };
        /** @description One link. */
        Link: {
            /** @description Which. */
            step: components["schemas"]["Step"];
            /** @description What it is: an id, a name. */
            what: string;
            /** @description How it was checked; empty where it could not be. */
            how: components["schemas"]["How"][];
            /** @description What came out. */
            verdict: components["schemas"]["Verdict2"];
        };
        /** @description Which link of a chain. */
        Step: "commit" | "patch" | "revision" | "run" | "key" | "delegation" | "agent" | "member" | "device" | "task" | "spec" | "checks" | "review" | "merge" | "merge_checks";
        /** @description One way in which a link was checked. */
        How: {
            /** @constant */
            by: "signature";
            /** @description Of what. */
            of: string;
            /** @description With this key. */
            key: components["schemas"]["Did"];
        } | {
            /** @constant */
            by: "hash";
            /** @description Of what. */
            of: string;
            /** @description It must be this. */
            hash: components["schemas"]["Hash"];
        } | {
            /** @constant */
            by: "listed";
            /** @description As what. */
            file: string;
            /** @description At this commit of it. */
            commit: components["schemas"]["Oid"];
        } | {
            /** @constant */
            by: "journal";
            /**
             * Format: uint64
             * @description The event's number.
             */
            seq: number;
            /** @description Its type. */
            event: string;
        } | {
            /** @constant */
            by: "git";
            /** @description What. */
            says: string;
        };
        /** @description What came of checking a link. */
        Verdict2: {
            /** @constant */
            verdict: "verified";
        } | {
            /** @constant */
            verdict: "not_verified";
            /** @description Why, in words. */
            why: string;
        } | {
            /** @constant */
            verdict: "unknown";
            /** @description What is missing. */
            why: string;
        };
        /** @description The webhook; its address is not shown, since whoever has it can post there. */
        Shown7: {
            /** @description The address's host; nothing where none is set. */
            host: string | null;
            /** @description How the last delivery since the start went. */
            last: components["schemas"]["Delivery"] | null;
        };
        /** @description How the last delivery went. */
        Delivery: {
            /** @description When. */
            at: components["schemas"]["Timestamp"];
            /** @description Whether it was taken. */
            good: boolean;
            /** @description What was delivered, or why it was not taken. */
            text: string;
        };
        /** @description An event as it stands in the journal. */
        Entry: {
            /** Format: uint64 */
            seq: number;
            /** Format: uint64 */
            incarnation: number;
            hash: components["schemas"]["Hash"];
            event: components["schemas"]["Event"];
        };
        /** @description A fact: when, by whom, what. */
        Event: {
            /**
             * Format: uint16
             * @description The format's version.
             */
            version: number;
            /** @description When. */
            at: components["schemas"]["Timestamp"];
            /** @description Who caused it: a member where a person acted, else the device itself. */
            actor: components["schemas"]["Did"];
            /** @description By which door they came in; none for what a device did by itself. */
            via?: components["schemas"]["Via"] | null;
            /** @description Which other device told this of a run that it executes for us; none: this device's own fact. */
            told?: components["schemas"]["Told"] | null;
        } & ({
            /** @constant */
            type: "org_created";
            /** @description Its name. */
            org: components["schemas"]["OrgName"];
            /** @description Its repository. */
            rid: components["schemas"]["Rid"];
            /** @description Its founder. */
            owner: components["schemas"]["Did"];
        } | {
            /** @constant */
            type: "org_joined";
            /** @description Its name. */
            org: components["schemas"]["OrgName"];
            /** @description Its repository. */
            rid: components["schemas"]["Rid"];
            /** @description The invitation. */
            invite: string;
        } | {
            /** @constant */
            type: "device_started";
            /** @description Meshwork's version. In writing it is `meshwork`: `version` is the event's own. */
            meshwork: string;
            /**
             * @description Whether the demo acts as the member, without a person.
             * @default false
             */
            demo: boolean;
        } | {
            /** @constant */
            type: "device_stopped";
        } | {
            /** @constant */
            type: "org_changed";
            /** @description What it does, in words. */
            what: string;
            /** @description The commit, where it is in force. */
            commit?: components["schemas"]["Oid"] | null;
            /** @description The proposal, where it waits for owners. */
            proposal?: components["schemas"]["PatchId"] | null;
        } | {
            /** @constant */
            type: "org_moved";
            /** @description The commit. */
            commit: components["schemas"]["Oid"];
        } | {
            /** @constant */
            type: "proposal_approved";
            /** @description The proposal. */
            proposal: components["schemas"]["PatchId"];
            /** @description The commit, where that brought it into force. */
            commit?: components["schemas"]["Oid"] | null;
        } | {
            /** @constant */
            type: "proposal_rejected";
            /** @description The proposal. */
            proposal: components["schemas"]["PatchId"];
        } | {
            /** @constant */
            type: "invited";
            /** @description The ticket. */
            ticket: components["schemas"]["Ticket"];
        } | {
            /** @constant */
            type: "invite_withdrawn";
            /** @description Its id. */
            invite: string;
        } | {
            /** @constant */
            type: "knocked";
            /** @description The invitation. */
            invite: string;
            /** @description What it said. */
            knock: components["schemas"]["Knock"];
        } | {
            /** @constant */
            type: "joiner_decided";
            /** @description Their device. */
            device: components["schemas"]["Did"];
            /** @description How. */
            state: components["schemas"]["JoinerState"];
        } | {
            /** @constant */
            type: "stop_ordered";
            /** @description What was signed. */
            order: components["schemas"]["Order"];
            /** @description The member's key that signed. */
            by: components["schemas"]["Did"];
            /** @description The blob that holds the signed envelope. */
            envelope: components["schemas"]["Hash"];
        } | {
            /** @constant */
            type: "project_added";
            /** @description Its name. */
            project: components["schemas"]["ProjectName"];
            /** @description Its repository. */
            rid: components["schemas"]["Rid"];
        } | {
            /** @constant */
            type: "project_fetching";
            /** @description The repository. */
            rid: components["schemas"]["Rid"];
            /** @description The node. */
            from: components["schemas"]["Did"];
        } | {
            /** @constant */
            type: "mirror_pushed";
            /** @description The project. */
            project: components["schemas"]["ProjectName"];
            /** @description What was pushed. */
            commit: components["schemas"]["Oid"];
        } | {
            /** @constant */
            type: "mirror_pulled";
            /** @description The project. */
            project: components["schemas"]["ProjectName"];
            /** @description What came. */
            commit: components["schemas"]["Oid"];
        } | {
            /** @constant */
            type: "mirror_reached";
            /** @description The project. */
            project: components["schemas"]["ProjectName"];
            /** @description Where it is. */
            commit: components["schemas"]["Oid"];
        } | {
            /** @constant */
            type: "mirror_failed";
            /** @description The project. */
            project: components["schemas"]["ProjectName"];
            /** @description Why, in words. */
            why: string;
        } | {
            /** @constant */
            type: "tasks_edited";
            /** @description The project. */
            project: components["schemas"]["ProjectName"];
            /** @description The commit. */
            commit: components["schemas"]["Oid"];
        } | {
            /** @constant */
            type: "agent_set";
            /** @description Its name. */
            agent: components["schemas"]["AgentName"];
            /** @description The commit in the org repository. */
            commit: components["schemas"]["Oid"];
        } | {
            /** @constant */
            type: "quotas_set";
            /** @description The commit in the org repository. */
            commit: components["schemas"]["Oid"];
        } | {
            /** @constant */
            type: "shares_taken";
            /** @description Which revision, and what the device holds. */
            taken: components["schemas"]["Taken"];
        } | {
            /** @constant */
            type: "credential_set";
            /** @description Its name. */
            name: components["schemas"]["CredentialName"];
        } | {
            /** @constant */
            type: "credential_removed";
            /** @description Its name. */
            name: components["schemas"]["CredentialName"];
        } | {
            /** @constant */
            type: "token_created";
            /** @description Its public id. */
            id: string;
            /** @description Its role. */
            role: components["schemas"]["Role"];
        } | {
            /** @constant */
            type: "token_revoked";
            /** @description Its public id. */
            id: string;
        } | {
            /** @constant */
            type: "browser_signed_in";
            /** @description The public id of its session. */
            id: string;
        } | {
            /** @constant */
            type: "browser_signed_out";
            /** @description The public id of its session. */
            id: string;
        } | {
            /** @constant */
            type: "task_taken_over";
            /** @description The task. */
            task: components["schemas"]["TaskRef"];
            /** @description The device that has the claim from now on. */
            device: components["schemas"]["Did"];
            /** @description The devices that had claimed it. */
            from: components["schemas"]["Did"][];
            /**
             * Format: uint64
             * @description One more than the highest [`Claim::turn`] on the task that this device knew.
             */
            turn: number;
        } | {
            /** @constant */
            type: "run_queued";
            /** @description The run. */
            run: components["schemas"]["Run"];
        } | {
            /** @constant */
            type: "run_placed";
            /** @description The run. */
            run: components["schemas"]["RunId"];
            /** @description The manifest's hash. */
            manifest: components["schemas"]["Hash"];
            /** @description The blob that holds its envelope. */
            envelope: components["schemas"]["Hash"];
            /** @description The commit that it begins from. */
            base: components["schemas"]["Oid"];
            /** @description Hash of the spec that it works from. */
            spec_hash?: components["schemas"]["Hash"] | null;
            /** @description The saved work that it begins with. */
            from?: components["schemas"]["SavedWork"] | null;
            /** @description The saved work that it does without, because it could not be had. */
            left?: components["schemas"]["LeftBehind"] | null;
            /** @description The device that is asked for it from now on; older journals do not say it. */
            device?: components["schemas"]["Did"] | null;
        } | {
            /** @constant */
            type: "run_refused";
            /** @description The run. */
            run: components["schemas"]["RunId"];
            /** @description The device. */
            device: components["schemas"]["Did"];
            /** @description Why. */
            reasons: components["schemas"]["Refusal"][];
        } | {
            /** @constant */
            type: "run_leased";
            /** @description The run. */
            run: components["schemas"]["RunId"];
            /** @description The lease. */
            lease: components["schemas"]["LeaseId"];
            /** @description The device. */
            device: components["schemas"]["Did"];
            /** @description The lease ends then, unless renewed. */
            until: components["schemas"]["Timestamp"];
            /** @description What of the device is reserved for it. */
            reserved: components["schemas"]["Resources"];
            /** @description The run, where this device hears of it with its lease: as it was asked for. */
            asked?: components["schemas"]["Run"] | null;
        } | {
            /** @constant */
            type: "lease_renewed";
            /** @description The run. */
            run: components["schemas"]["RunId"];
            /** @description It ends then, unless renewed. */
            until: components["schemas"]["Timestamp"];
        } | {
            /** @constant */
            type: "run_end_asked";
            /** @description The run. */
            run: components["schemas"]["RunId"];
            /** @description Why. */
            reason: components["schemas"]["Reason"];
        } | {
            /** @constant */
            type: "run_recovered";
            /** @description The run. */
            run: components["schemas"]["RunId"];
            /** @description What is known of how that came. */
            message: string;
        } | {
            /** @constant */
            type: "run_delegated";
            /** @description The run. */
            run: components["schemas"]["RunId"];
            /** @description The run's key. */
            key: components["schemas"]["Did"];
            /** @description Hash of the delegation's envelope, which is a blob. */
            delegation: components["schemas"]["Hash"];
        } | {
            /** @constant */
            type: "run_moved";
            /** @description The run. */
            run: components["schemas"]["RunId"];
            /** @description To this state. */
            to: components["schemas"]["RunState"];
            /** @description Why, where that says something. */
            reason?: components["schemas"]["Reason"] | null;
        } | {
            /** @constant */
            type: "pause_asked";
            /** @description The run. */
            run: components["schemas"]["RunId"];
            /** @description Whether it is to be paused. */
            paused: boolean;
        } | {
            /** @constant */
            type: "run_paused";
            /** @description The run. */
            run: components["schemas"]["RunId"];
            /** @description Whether it is frozen now. */
            paused: boolean;
        } | {
            /** @constant */
            type: "run_checkpointed";
            /** @description The run. */
            run: components["schemas"]["RunId"];
            /** @description As this commit. */
            commit: components["schemas"]["Oid"];
        } | {
            /** @constant */
            type: "run_committed";
            /** @description The run. */
            run: components["schemas"]["RunId"];
            /** @description The commit. */
            commit: components["schemas"]["Oid"];
            /** @description Its tree, which the runner verified. */
            tree: components["schemas"]["Oid"];
            /** @description What was left out of it, or is odd, in words. */
            notes?: string[];
        } | {
            /** @constant */
            type: "checkpoint_goes";
            /** @description The run that it is of. */
            run: components["schemas"]["RunId"];
            /** @description From when on. In writing it is not `at`, which is the event's own. */
            goes_at: components["schemas"]["Timestamp"];
            /** @description Why, in words. */
            why: string;
        } | {
            /** @constant */
            type: "checkpoint_dropped";
            /** @description The run that it was of. */
            run: components["schemas"]["RunId"];
            /** @description Why, in words; older journals do not say it. */
            why?: string;
        } | {
            /** @constant */
            type: "work_kept";
            /** @description The run. */
            run: components["schemas"]["RunId"];
            /** @description What was left out. */
            left_out: components["schemas"]["LeftOut"];
        } | {
            /** @constant */
            type: "work_dropped";
            /** @description The run. */
            run: components["schemas"]["RunId"];
            /** @description Why. */
            why: string;
        } | {
            /** @constant */
            type: "message_sent";
            /** @description The run. */
            run: components["schemas"]["RunId"];
            /**
             * Format: uint64
             * @description The order's number within the run.
             */
            order: number;
            /** @description The text. */
            text: components["schemas"]["Hash"];
        } | {
            /** @constant */
            type: "message_delivered";
            /** @description The run. */
            run: components["schemas"]["RunId"];
            /**
             * Format: uint64
             * @description The order's number within the run.
             */
            order: number;
        } | {
            /** @constant */
            type: "message_refused";
            /** @description The run. */
            run: components["schemas"]["RunId"];
            /**
             * Format: uint64
             * @description The order's number within the run.
             */
            order: number;
            /** @description Why. */
            why: string;
        } | {
            /** @constant */
            type: "question_asked";
            /** @description The run. */
            run: components["schemas"]["RunId"];
            /** @description The question. */
            question: components["schemas"]["Question"];
        } | {
            /** @constant */
            type: "question_answered";
            /** @description The run. */
            run: components["schemas"]["RunId"];
            /** @description The question's id. */
            question: string;
            /** @description The option chosen. */
            option?: string | null;
        } | {
            /** @constant */
            type: "sandbox_stopped";
            /** @description The run. */
            run: components["schemas"]["RunId"];
            /** @description What. */
            what: string;
        } | {
            /** @constant */
            type: "model_called";
            /** @description The run. */
            run: components["schemas"]["RunId"];
            /** @description The model. */
            model: string;
            /**
             * Format: uint16
             * @description The provider's HTTP status.
             */
            status: number;
            /** @description What it used, from the provider's own usage fields; calls that give none count as none. */
            usage: components["schemas"]["Usage"];
            /**
             * Format: uint64
             * @description How long it took.
             */
            duration_ms: number;
            /** @description When it was let through: it counts in the day and the month of then, whose limits it had to fit, however late it ends. */
            admitted: components["schemas"]["Timestamp"];
            /** @description The blobs of the request and the answer, where the org wants them kept. */
            content?: components["schemas"]["Hash"][];
            /** @description At a standby device, whose journal does not know the run: for whom. */
            standby?: components["schemas"]["ForWhom"] | null;
        } | {
            /** @constant */
            type: "checks_ended";
            /** @description The run whose work they judged. */
            run: components["schemas"]["RunId"];
            /** @description Results. */
            checks: components["schemas"]["CheckResult"][];
            /** @description The blob that holds them as the `ci` run signed them; none where it did not come to an end. */
            signed?: components["schemas"]["Hash"] | null;
        } | {
            /** @constant */
            type: "patch_published";
            /** @description The run. */
            run: components["schemas"]["RunId"];
            /** @description The patch. */
            patch: components["schemas"]["PatchId"];
            /** @description The revision. */
            revision: components["schemas"]["RevisionId"];
            /** @description Its commit. */
            commit: components["schemas"]["Oid"];
        } | {
            /** @constant */
            type: "patch_revised";
            /** @description The project. */
            project: components["schemas"]["ProjectName"];
            /** @description The patch. */
            patch: components["schemas"]["PatchId"];
            /** @description The revision. */
            revision: components["schemas"]["RevisionId"];
            /** @description Its commit. */
            commit: components["schemas"]["Oid"];
            /** @description The task that the patch is for. */
            task?: components["schemas"]["TaskRef"] | null;
        } | {
            /** @constant */
            type: "patch_commented";
            /** @description The project. */
            project: components["schemas"]["ProjectName"];
            /** @description The patch. */
            patch: components["schemas"]["PatchId"];
            /** @description The comment's id. */
            comment: components["schemas"]["Oid"];
            /** @description The task that the patch is for. */
            task?: components["schemas"]["TaskRef"] | null;
        } | {
            /** @constant */
            type: "patch_reviewed";
            /** @description The project. */
            project: components["schemas"]["ProjectName"];
            /** @description The patch. */
            patch: components["schemas"]["PatchId"];
            /** @description What was said; none: what was said counts no more. */
            verdict: components["schemas"]["Verdict"] | null;
            /** @description The task that the patch is for. */
            task?: components["schemas"]["TaskRef"] | null;
        } | {
            /** @constant */
            type: "patch_merged";
            /** @description The project. */
            project: components["schemas"]["ProjectName"];
            /** @description The patch. */
            patch: components["schemas"]["PatchId"];
            /** @description The commit on the default branch. */
            commit: components["schemas"]["Oid"];
            /** @description The task that the patch is for. */
            task?: components["schemas"]["TaskRef"] | null;
        } | {
            /** @constant */
            type: "patch_closed";
            /** @description The project. */
            project: components["schemas"]["ProjectName"];
            /** @description The patch. */
            patch: components["schemas"]["PatchId"];
            /** @description The task that the patch is for. */
            task?: components["schemas"]["TaskRef"] | null;
        } | {
            /** @constant */
            type: "patch_reopened";
            /** @description The project. */
            project: components["schemas"]["ProjectName"];
            /** @description The patch. */
            patch: components["schemas"]["PatchId"];
            /** @description The task that the patch is for. */
            task?: components["schemas"]["TaskRef"] | null;
        } | {
            /** @constant */
            type: "command_model_set";
            /** @description The model and its budget. Never a key. */
            settings: components["schemas"]["Settings"];
        } | {
            /** @constant */
            type: "command_model_called";
            /** @description The model. */
            model: string;
            /**
             * Format: uint16
             * @description The provider's HTTP status.
             */
            status: number;
            /** @description What it used, from the provider's own usage fields; calls that give none count as none. */
            usage: components["schemas"]["Usage"];
            /**
             * Format: uint64
             * @description How long it took.
             */
            duration_ms: number;
            /** @description When it was let through: it counts in the day and the month of then, whose limits it had to fit, however late it ends. */
            admitted: components["schemas"]["Timestamp"];
        } | {
            /** @constant */
            type: "backed_up";
        } | {
            /** @constant */
            type: "restored";
        } | {
            /** @constant */
            type: "journal_mended";
            /**
             * Format: uint64
             * @description The number of the last event that all agree on.
             */
            after: number;
            /**
             * Format: uint64
             * @description How many events came back from others: they follow that one, under the numbers that they had.
             */
            came_back: number;
            /**
             * Format: uint64
             * @description How many events follow these that were written here before it was noticed.
             */
            written_here: number;
            /**
             * Format: uint64
             * @description How many of what was here are not told again, because they came back already.
             */
            told_twice: number;
            /** @description Where the journal lies as it was before the mend: a folder in that of the store; none where nothing had been written here. */
            aside?: string | null;
        } | {
            /** @constant */
            type: "line_rejoined";
            /** @description The repository. */
            repository: components["schemas"]["Rid"];
            /** @description The key. */
            key: components["schemas"]["Did"];
            /** @description Its newest signature as others had it, on which the joined one stands. */
            theirs: components["schemas"]["Oid"];
            /** @description Its newest signature here before that. */
            ours: components["schemas"]["Oid"];
            /** @description The key under which that is kept which was said here of what others had changed too: it was made for this alone. */
            kept_under?: components["schemas"]["Did"] | null;
            /** @description Branches of the key that hold where branches were here which others had moved too. */
            aside?: string[];
            /** @description Patches in which not all that the key said counts, as where it reviewed one revision twice: to be reviewed again. */
            review_again?: components["schemas"]["PatchId"][];
        });
        /** @description The way by which somebody acted. */
        Via: {
            /** @description The door. */
            door: components["schemas"]["Door"];
            /** @description The public id of the token that was shown, where one of the org's was. */
            token?: string | null;
        };
        /** @description A door to the table of actions. */
        Door: "cli" | "dashboard" | "http" | "mcp";
        /** @description What somebody holds who was invited. Signed by the device that made it; see `identity::ticket` for its written form. */
        Ticket: {
            /**
             * Format: uint16
             * @description The format's version.
             */
            version: number;
            /** @description Its id: a ULID. */
            id: string;
            /** @description The org. */
            org: components["schemas"]["OrgName"];
            /** @description The org's repository. */
            rid: components["schemas"]["Rid"];
            /** @description As what it lets somebody join. */
            admits: components["schemas"]["Admits"];
            /** @description It counts until this moment. */
            expires: components["schemas"]["Timestamp"];
            /**
             * Format: uint32
             * @description How many devices may join with it.
             */
            uses: number;
            /** @description Where the issuer's Join port is, as `host:port`; the first that answers is taken. */
            knock: string[];
            /** @description The issuing device's key: whoever answers at that port must have it. */
            issuer: components["schemas"]["Did"];
            /** @description Where the issuer's Radicle node is, as `host:port`. */
            radicle: string[];
            /**
             * @description The Headscale server of the tailnet in which all of these are, where the org has one. A key for it may stand behind the ticket; it
             *     is no part of what is signed and remembered.
             */
            headscale?: components["schemas"]["ServerUrl"] | null;
        };
        /** @description The address of a server: `https://headscale.example`, or with a port; nothing behind it. */
        ServerUrl: string;
        /** @description What somebody says who knocks. Signed by the device's key and by the member's. */
        Knock: {
            /**
             * Format: uint16
             * @description The format's version.
             */
            version: number;
            /** @description The ticket, as it was written. */
            ticket: string;
            /** @description What the person wants to be called; of a device of a member it says nothing. */
            name: string;
            /** @description What the device is called. */
            device_name: string;
            /** @description The device's key; also its Radicle node's. */
            device: components["schemas"]["Did"];
            /** @description The member's key on that device. */
            member: components["schemas"]["Did"];
            /** @description Where its mesh port is reached, as `host:port`. */
            addresses: string[];
            /** @description Where its Radicle node is reached, as `host:port`. */
            radicle: string[];
            /** @description Where its gossip is reached, as `host:port`. */
            gossip?: string[];
            /** @description When. */
            at: components["schemas"]["Timestamp"];
        };
        /** @description How it stands with somebody who knocked. */
        JoinerState: {
            /** @constant */
            state: "waiting";
        } | {
            /** @constant */
            state: "proposed";
            /** @description The proposal. */
            proposal: components["schemas"]["PatchId"];
        } | {
            /** @constant */
            state: "approved";
        } | {
            /** @constant */
            state: "declined";
            /** @description Why. */
            why: string;
        };
        /** @description What a device tells once it acts by another division of the quotas: from then on it goes by none before it. */
        Taken: {
            /** @description The revision of the org repository. */
            revision: components["schemas"]["Oid"];
            /** @description Its part of each quota, by [`Scope::id`]. */
            held?: {
                [key: string]: components["schemas"]["Held"];
            };
            /** @description When it noticed that devices are no longer listed, as far as it matters still. */
            gone?: {
                [key: string]: components["schemas"]["Timestamp"];
            };
        };
        /** @description What a device holds of one quota. */
        Held: {
            /** @description The period of which `used` tells, as [`Period::key`] writes it. */
            period: string;
            /** @description Its part by that revision. */
            share: components["schemas"]["Amounts"];
            /** @description What it had used of the quota, with what calls under way could still use. */
            used: components["schemas"]["Amounts"];
        };
        /** @description Tokens, calls and money together. */
        Amounts: {
            /**
             * Format: uint64
             * @description Tokens read and written.
             */
            tokens: number;
            /**
             * Format: uint64
             * @description Calls to models.
             */
            calls: number;
            /** @description Money, in the currency of the prices. */
            money: components["schemas"]["Money"];
        };
        /** @description A run as everybody sees it: projected from events. */
        Run: {
            /** @description Its id. */
            id: components["schemas"]["RunId"];
            /** @description The class of workload. */
            class: components["schemas"]["Class"];
            /** @description Its project. */
            project: components["schemas"]["ProjectName"];
            /** @description Its task, for agents' runs. */
            task?: components["schemas"]["TaskRef"] | null;
            /** @description Its agent. */
            agent?: components["schemas"]["AgentName"] | null;
            /** @description For whom. */
            member: components["schemas"]["Did"];
            /** @description Which device asked. */
            requester: components["schemas"]["Did"];
            /** @description Which device was asked for, where the person named one; it may be the requester itself. */
            on?: components["schemas"]["Did"] | null;
            /** @description Tags that its device must have, beside those of its project. */
            tags?: {
                [key: string]: string;
            };
            /** @description How important it is. */
            priority?: components["schemas"]["Priority"];
            /**
             * Format: uint32
             * @description How often its work gave way to more important work before this run took it up again.
             */
            gave_way?: number;
            /** @description The run on whose device it must not be. */
            apart?: components["schemas"]["ApartFrom"] | null;
            /**
             * @description Which device is asked for it, or was asked last while none has it: written before it is asked, so that after a crash the very
             *     same one is asked again.
             */
            asked?: components["schemas"]["Did"] | null;
            /** @description Devices that refused it, and why: of each the last time, the latest at the end. */
            refused?: components["schemas"]["Refused"][];
            /** @description What the device that executes it told last, where that is another: as of then everything here is known. */
            told?: components["schemas"]["Told"] | null;
            /** @description Which device executes, once leased. */
            device?: components["schemas"]["Did"] | null;
            /** @description Hash of the manifest, once it was made for placing. */
            manifest?: components["schemas"]["Hash"] | null;
            /** @description The blob that holds the manifest's signed envelope. */
            envelope?: components["schemas"]["Hash"] | null;
            /** @description Where it is. */
            state: components["schemas"]["RunState"];
            /** @description Why it is there, where that says something. */
            reason?: components["schemas"]["Reason"] | null;
            /**
             * @description Whether it is frozen, whoever wanted that; of one that waits, whether it is not placed because a person paused it.
             * @default false
             */
            paused: boolean;
            /** @description Who paused it, until a person lets it go on: so its work stays paused also where another run goes on with it. */
            paused_by?: components["schemas"]["Did"] | null;
            /** @description Commit it began from (agents) or checks (ci); known when it is placed. */
            base?: components["schemas"]["Oid"] | null;
            /** @description Hash of the spec it works from. */
            spec_hash?: components["schemas"]["Hash"] | null;
            /** @description The run that this goes on from. */
            continues?: components["schemas"]["RunId"] | null;
            /** @description The saved work that it begins with; known when it is placed. */
            from?: components["schemas"]["SavedWork"] | null;
            /** @description The saved work that it does without, because it could not be had; known when it is placed. */
            left?: components["schemas"]["LeftBehind"] | null;
            /**
             * @description Whether it does the patch's work anew on the present default branch, because merging it met conflicts.
             * @default false
             */
            rebase: boolean;
            /** @description The run whose work this judges. */
            subject?: components["schemas"]["RunId"] | null;
            /**
             * Format: uint32
             * @description How often this task was taken up by itself after a loss.
             * @default 0
             */
            attempt: number;
            /** @description Its lease. */
            lease?: components["schemas"]["LeaseId"] | null;
            /** @description The lease ends then, unless its runner is heard of. */
            lease_until?: components["schemas"]["Timestamp"] | null;
            /** @description What of its device is reserved for it. */
            reserved?: components["schemas"]["Resources"] | null;
            /** @description Why it is to end, where somebody asked for that; it ends once its work is saved. */
            ending?: components["schemas"]["Reason"] | null;
            /**
             * Format: uint32
             * @description How often it was put back into the queue because something that passes kept it from starting.
             * @default 0
             */
            tries: number;
            /**
             * Format: uint32
             * @description How often it was found without anything that drove it, and taken up.
             * @default 0
             */
            recovered: number;
            /** @description Its key, once born. */
            key?: components["schemas"]["Did"] | null;
            /** @description The blob that holds the delegation of its key. */
            delegation?: components["schemas"]["Hash"] | null;
            /** @description The last checkpoint of its worktree. */
            checkpoint?: components["schemas"]["Oid"] | null;
            /**
             * @description The checkpoint of it that lies on the device whose journal tells this: where it was executed; and, as soon as it arrived there,
             *     where it was asked for.
             */
            held?: components["schemas"]["Oid"] | null;
            /** @description From when on that checkpoint may be removed from this device, where it is a guest's that nobody brings away. */
            goes?: components["schemas"]["Timestamp"] | null;
            /** @description The commit that it made. */
            commit?: components["schemas"]["Oid"] | null;
            /** @description What was left out of its commit, or is odd there, in words. */
            notes?: string[];
            /** @description Files that are in neither commit nor checkpoint: its folder is kept aside. */
            kept?: components["schemas"]["LeftOut"] | null;
            /** @description The patch that it opened or continued. */
            patch?: components["schemas"]["PatchId"] | null;
            /** @description The revision that it made. */
            revision?: components["schemas"]["RevisionId"] | null;
            /**
             * @description What the counting checks said.
             * @default []
             */
            checks: components["schemas"]["CheckResult"][];
            /** @description The blob that holds these results as the `ci` run signed them. */
            checked?: components["schemas"]["Hash"] | null;
            /**
             * @description What it used of its model.
             * @default {
             *       "calls": 0,
             *       "input_tokens": 0,
             *       "cached_tokens": 0,
             *       "output_tokens": 0
             *     }
             */
            usage: components["schemas"]["Usage"];
            /**
             * @description Questions of the engine that wait for a person.
             * @default []
             */
            questions: components["schemas"]["Question"][];
            /**
             * Format: uint64
             * @description How many more there were than are listed.
             */
            questions_more?: number;
            /** @description Messages of people that the agent did not get, or not yet. */
            messages?: components["schemas"]["Message"][];
            /**
             * Format: uint64
             * @description How many more there were than are listed.
             */
            messages_more?: number;
            /**
             * @description What the sandbox stopped.
             * @default []
             */
            violations: string[];
            /**
             * Format: uint64
             * @description How many more there were than are listed.
             */
            violations_more?: number;
            /**
             * @description Where it was, and since when; oldest first.
             * @default []
             */
            phases: components["schemas"]["Phase"][];
            /** @description When it was queued. */
            queued_at: components["schemas"]["Timestamp"];
            /** @description When it was leased. */
            started_at?: components["schemas"]["Timestamp"] | null;
            /** @description When it ended. */
            ended_at?: components["schemas"]["Timestamp"] | null;
        };
        /** @description For whom a call of a run was made of which the journal says nothing else: at a standby device. */
        ForWhom: {
            /** @description The member, by their key on the device that made the call. */
            member: components["schemas"]["Did"];
            /** @description The agent. */
            agent?: components["schemas"]["AgentName"] | null;
        };
        /** @description The model that the command bar may ask, and what it may use in a day. */
        Settings: {
            /** @description The model; none where there is none. */
            model?: components["schemas"]["Model"] | null;
            /** @description What it may use in a day (UTC). */
            budget: components["schemas"]["Budget"];
        };
        /** @description What a search found, newest first. */
        Finds: {
            entries: components["schemas"]["Entry"][];
            /**
             * Format: uint64
             * @description Say this as `before` to go on with older events; nothing where the beginning was reached.
             */
            older: number | null;
        };
        /** @description A device's journal, as it is here. */
        JournalView: {
            /** @description The device. */
            device: components["schemas"]["Did"];
            /** @description What people call it; none for one that the org does not list any more. */
            name?: string | null;
            /** @description Whether it is the journal of the device here. */
            here: boolean;
            /**
             * Format: uint64
             * @description Its present incarnation: a restored journal goes on as another.
             */
            incarnation: number;
            /**
             * Format: uint64
             * @description Its last event here.
             */
            seq: number;
            /** @description That event's hash. */
            hash?: components["schemas"]["Hash"] | null;
            /** @description How the copy stands; none for the journal of the device here. */
            state?: components["schemas"]["CopyState"] | null;
            /** @description What is wrong with it, in words. */
            why?: string | null;
            /** @description As of when it is known whole here. */
            as_of?: components["schemas"]["Timestamp"] | null;
            /** @description Whether it is followed at its device now. */
            reachable: boolean;
            /** @description What a stop order halts that cuts its device off from this one, in words; none: no order does. */
            halted?: string | null;
        };
        /** @description How the copy of a journal stands. */
        CopyState: "verified" | "behind" | "altered" | "forked";
        /** @description The hash of what is shown. */
        PictureHash: {
            /** @description Over all runs, with their leases, and all claims: the same on all devices that have the same journals. */
            hash: components["schemas"]["Hash"];
            /**
             * Format: uint
             * @description How many runs and tasks it is over.
             */
            things: number;
        };
        /** @description What a check of the journal found. */
        Verified: {
            /** @description Whether all is sound. */
            sound: boolean;
            device: components["schemas"]["Did"];
            /** Format: uint64 */
            events: number;
            /**
             * Format: uint64
             * @description How many of the events a newer Meshwork wrote: they are kept as they are, and not understood here.
             */
            unknown: number;
            /** Format: uint64 */
            signatures: number;
            /** Format: uint64 */
            incarnations: number;
            /** @description The first event that is wrong, and why. */
            bad: components["schemas"]["BadEvent"] | null;
            /** @description Where it was mended, because its disk had been put back to an earlier moment. */
            mends: components["schemas"]["Mend"][];
            /**
             * Format: uint64
             * @description How many blobs beside the journal are as the events say that name them.
             */
            blobs: number;
            /**
             * Format: uint64
             * @description How many went with a disk that was put back: they are named by events that came back from others.
             */
            lost_blobs: number;
            /** @description The first blobs that are missing or altered, and were not erased. */
            bad_blobs: components["schemas"]["BadBlob"][];
            /**
             * Format: uint64
             * @description How many more.
             */
            more_bad_blobs: number;
            /** @description The copies of other devices' journals. That one is not sound makes this device's own no worse. */
            copies: components["schemas"]["VerifiedCopy"][];
        };
        BadEvent: {
            /** Format: uint64 */
            seq: number;
            why: string;
        };
        /** @description How the journal was mended, and the event that says so. */
        Mend: {
            /** Format: uint64 */
            seq: number;
            /**
             * @description How a journal was mended whose disk had been put back to an earlier moment. Its old incarnation ends at the last event that all agree
             *     on; the new one tells first what others held of it beyond that, then what was written here meanwhile.
             */
            mended: {
                /**
                 * Format: uint64
                 * @description The number of the last event that all agree on.
                 */
                after: number;
                /**
                 * Format: uint64
                 * @description How many events came back from others: they follow that one, under the numbers that they had.
                 */
                came_back: number;
                /**
                 * Format: uint64
                 * @description How many events follow these that were written here before it was noticed.
                 */
                written_here: number;
                /**
                 * Format: uint64
                 * @description How many of what was here are not told again, because they came back already.
                 */
                told_twice: number;
                /** @description Where the journal lies as it was before the mend: a folder in that of the store; none where nothing had been written here. */
                aside?: string | null;
            };
        };
        BadBlob: {
            hash: components["schemas"]["Hash"];
            /**
             * Format: uint64
             * @description The event that names it.
             */
            seq: number;
            why: string;
        };
        /** @description What a check of the copy of a journal found. */
        VerifiedCopy: {
            device: components["schemas"]["Did"];
            /** @description Whether all of it is sound, and nothing was kept out. */
            sound: boolean;
            /** Format: uint64 */
            events: number;
            /** Format: uint64 */
            signatures: number;
            /** Format: uint64 */
            incarnations: number;
            /** @description The first event that is wrong, and why. */
            bad: components["schemas"]["BadEvent"] | null;
            /** @description Why what followed was kept out. */
            kept_out: string | null;
        };
        Rebuilt: {
            /** Format: uint64 */
            events: number;
            /**
             * Format: uint64
             * @description How many of the events a newer Meshwork wrote: they changed nothing here.
             */
            unknown: number;
            /**
             * Format: uint64
             * @description How many things were not as the journal says.
             */
            differences: number;
        };
        /** @description A device of the org, as this one sees it. */
        DeviceView: {
            /** @description What people call it. */
            name: string;
            /** @description Its key. */
            did: components["schemas"]["Did"];
            /** @description The member who owns it. */
            owner: string;
            /** @description Whether it is this device. */
            here: boolean;
            /** @description Where other devices reach it. */
            addresses: string[];
            /** @description Whether it answered the last time. */
            reachable: boolean;
            /** @description When it answered last, since this process began. */
            heard_at?: components["schemas"]["Timestamp"] | null;
            /**
             * Format: int64
             * @description How far its clock is ahead of this one's, in milliseconds, give or take half the way there and back; below 0: behind.
             */
            clock_ahead_ms?: number | null;
            /** @description Why it did not answer. */
            problem?: string | null;
            /** @description What a stop order halts that cuts it off from this device, in words; none: no order does. */
            halted?: string | null;
            /**
             * @description Whether this device's Radicle node is connected to its own: then what either publishes is soon seen by the other. Of this device:
             *     whether its node runs.
             */
            radicle_connected: boolean;
            /** @description When it was there last, as far as is known here, whoever told of it; none: nothing of it was ever heard. */
            seen_at?: components["schemas"]["Timestamp"] | null;
            /**
             * Format: uint
             * @description How many runs it executes, for whoever they are, as far as its journal has come here.
             */
            runs: number;
        };
        /** @description A device and its capacity. */
        Device2: {
            /** @description The device. */
            device: components["schemas"]["Did"];
            /** @description What people call it. */
            name: string;
            /** @description The member who owns it. */
            owner: string;
            /** @description How it is known. */
            state: components["schemas"]["Standing"];
            /** @description What a stop order halts that cuts it off from this device, in words; none: no order does. */
            halted?: string | null;
            /** @description When it was there last, as far as is known here, whoever told of it; none: nothing of it was ever heard. */
            seen_at?: components["schemas"]["Timestamp"] | null;
            /** @description As of when it said what follows, by its own clock; none: it was not heard since this process began. */
            at?: components["schemas"]["Timestamp"] | null;
            /**
             * Format: uint32
             * @description How long it takes to it and back lately, in milliseconds; 0 for this device, none where it is not known.
             */
            round_trip_ms?: number | null;
            /** @description What it lends to runs of agents, and what is free of that. */
            capacity?: components["schemas"]["Capacity"] | null;
            /** @description What its sensors saw. */
            condition: components["schemas"]["Condition"];
            /** @description Why it takes no guests now; none: it does. */
            reclaimed?: components["schemas"]["Reclaim"] | null;
            /** @description Engines that are installed there. */
            engines: string[];
            /** @description How limits are enforced, in words; of another device nothing is known of that. */
            limits: string;
        };
        /** @description How a device is known to this one. */
        Standing: "here" | "live" | "suspected" | "unheard";
        /** @description A device's announcement of itself: a hint; its own admission decides. */
        Capacity: {
            /** @description Everything that the device lends to the mesh. */
            total: components["schemas"]["Resources"];
            /** @description What is not reserved by a lease now. */
            free: components["schemas"]["Resources"];
            /** @description Tags, as `gpu:true` or `region:ap-southeast-2`. */
            tags: {
                [key: string]: string;
            };
            /** @description Its GPUs, one by one, as many as `total` counts. */
            gpus?: components["schemas"]["Gpu"][];
            /** @description Where it can run things; a runtime that cannot work here is absent. */
            runtimes: components["schemas"]["Runtime"][];
            /** @description Classes that it accepts. */
            classes: components["schemas"]["Class"][];
            /**
             * Format: uint32
             * @description How many runs it executes at once at most.
             */
            slots: number;
            /**
             * Format: uint32
             * @description How many of those are free now.
             */
            slots_free: number;
            /** @description What of it other orgs of the same machine use now; which ones, and for what, is not told. */
            others?: components["schemas"]["Lane"];
        };
        /** @description A GPU of a device. */
        Gpu: {
            /** @description What its driver calls it. */
            name: string;
            /**
             * Format: uint64
             * @description Its memory, in bytes; none: not known, or it has none of its own.
             */
            memory_bytes?: number | null;
        };
        /** @description What the sensors of a machine saw. None: nothing here can tell. */
        Condition: {
            /**
             * Format: uint64
             * @description For how long nobody typed or moved anything, in seconds.
             */
            idle_s?: number | null;
            /** @description Whether it runs on battery. */
            on_battery?: boolean | null;
            /**
             * Format: uint8
             * @description How full the battery is, in percent.
             */
            battery_percent?: number | null;
            /** @description Whether its lid is closed. */
            lid_closed?: boolean | null;
        };
        /** @description Something that runs on a device. */
        Pod: {
            /** @description Its run. */
            run: components["schemas"]["RunId"];
            /** @description Its class. */
            class: components["schemas"]["Class"];
            /** @description Its project. */
            project: components["schemas"]["ProjectName"];
            /** @description Its task, for agents' runs. */
            task: components["schemas"]["TaskRef"] | null;
            /** @description Its agent. */
            agent: components["schemas"]["AgentName"] | null;
            /** @description Where it is. */
            state: components["schemas"]["RunState"];
            /** @description The device. */
            device: components["schemas"]["Did"] | null;
            /** @description Where it stands: as its state, or what keeps it from going on there. */
            stands: components["schemas"]["Stands"];
            /** @description Whether it is frozen. */
            paused: boolean;
            /** @description When it was leased. */
            started_at: components["schemas"]["Timestamp"] | null;
            /** @description Why it holds its place though nothing of it runs any more, in words; none: it runs. */
            unended?: string | null;
        };
        /** @description What `POST /schedule` answers. */
        Admission: {
            /** @constant */
            answer: "leased";
            /** @description The lease. */
            lease: components["schemas"]["Lease"];
        } | {
            /** @constant */
            answer: "refused";
            /** @description Why; never empty. */
            reasons: components["schemas"]["Refusal"][];
        };
        /** @description The bounded right to run one workload on one device. Renewed by heartbeat. */
        Lease: {
            /** @description Its id. */
            id: components["schemas"]["LeaseId"];
            /** @description The run. */
            run: components["schemas"]["RunId"];
            /** @description The manifest that was admitted. */
            manifest: components["schemas"]["Hash"];
            /** @description The device that executes. */
            device: components["schemas"]["Did"];
            /** @description Ends then, unless renewed. */
            until: components["schemas"]["Timestamp"];
        };
        /** @description What was looked at on this machine. */
        FindingView: {
            what: string;
            ok: boolean;
            detail: string;
            next: string | null;
        };
        /** @description What a machine lends now. */
        LendingView: {
            /** @description What its owner lends; the usual where they said nothing. The same for all orgs of the machine. */
            policy: components["schemas"]["LendPolicy"];
            /** @description What its sensors see. */
            condition: components["schemas"]["Condition"];
            /** @description Why it takes no guests now; none: it does. */
            reclaimed?: components["schemas"]["Reclaim"] | null;
            /** @description The same in words. */
            why?: string | null;
            /** @description Since when it takes guests, or takes none. */
            since: components["schemas"]["Timestamp"];
            /** @description What its owner said by a click, while it counts. */
            click?: components["schemas"]["Click"] | null;
            /** @description The GPUs that there are. */
            gpus: components["schemas"]["Gpu"][];
            /**
             * Format: uint
             * @description How many guests of this org run here, with checks on their work.
             */
            guests: number;
            /** @description Why the policy cannot be read. Then no guests are taken. */
            broken?: components["schemas"]["Problem"] | null;
        };
        /**
         * @description `<data>/lend.toml`: what this machine's owner lends. It holds for all orgs of the machine, and lies nowhere else.
         *
         *     A guest is a run whose member does not own the device. The owner's own runs are never sent away by it.
         */
        LendPolicy: {
            /**
             * Format: uint16
             * @description The format's version.
             * @default 1
             */
            version: number;
            /**
             * @description Whether guests are taken at all.
             * @default true
             */
            guests: boolean;
            /**
             * @description Classes that guests may run.
             * @default [
             *       "agent",
             *       "ci"
             *     ]
             */
            classes: components["schemas"]["Class"][];
            /**
             * Format: uint32
             * @description How many of guests' runs at once at most; none: all slots.
             */
            slots?: number | null;
            /**
             * @description Whether guests run while the owner is at the machine.
             * @default true
             */
            while_present: boolean;
            /**
             * Format: uint64
             * @description How long nothing may have been typed until the owner counts as away, in seconds.
             * @default 300
             */
            away_after_s: number;
            /**
             * @description Whether guests run on battery.
             * @default false
             */
            on_battery: boolean;
            /**
             * @description Whether guests run while the lid is closed.
             * @default false
             */
            lid_closed: boolean;
            /** @description When guests are taken, as `mon-fri 19:00-07:00` in the machine's own time; none given: always. */
            hours?: string[];
            /**
             * Format: uint64
             * @description How long until guests' processors and memory are free after the owner wants the machine back, in seconds.
             * @default 30
             */
            grace_s: number;
            /**
             * Format: uint32
             * @description For how many days the checkpoint of a guest is kept that the device which asked for the run does not bring away, after the end of
             *     the run, or after that device was heard last.
             * @default 30
             */
            saved_days: number;
            /**
             * Format: uint32
             * @description How much all of them may have at most, in GiB; the oldest of whoever has most go first.
             * @default 10
             */
            saved_gib: number;
            /** @description What this device says of itself, as `gpu = "true"`. `region` and `compliance` come from the org repository only. */
            tags?: {
                [key: string]: string;
            };
        };
        /** @description What the owner said last by a click, beside their policy. */
        Click: {
            /** @constant */
            said: "reclaimed";
            /** @description Until when; none: until they lend it again. */
            until?: components["schemas"]["Timestamp"] | null;
        } | {
            /** @constant */
            said: "lent";
            /** @description Until when. */
            until: components["schemas"]["Timestamp"];
        };
        /** @description How the tailnet stands. */
        StatusView: {
            /** @description The org's Headscale server; none: the org has no tailnet. */
            server?: components["schemas"]["ServerUrl"] | null;
            /** @description Whether this device runs it. */
            managed: boolean;
            /** @description Whether it answered this device at the last look; none: it was not asked yet. */
            reachable?: boolean | null;
            /** @description Why it did not. */
            problem?: components["schemas"]["Problem"] | null;
            /** @description When it answered last. */
            reached_at?: components["schemas"]["Timestamp"] | null;
            /** @description What is not in order, of the server or of this machine's tailscaled: what a person has to hear of it unasked. */
            wrong?: components["schemas"]["Problem"] | null;
            /** @description This machine in the tailnet. */
            here?: components["schemas"]["HereView"] | null;
            /** @description Its machines that belong to the org, or wait to. */
            nodes: components["schemas"]["NodeView"][];
            /** @description Rules of the policy that were written by hand and let others reach the org's devices. */
            opened: string[];
            /** @description When it was looked. */
            at?: components["schemas"]["Timestamp"] | null;
        };
        /** @description This machine in the tailnet. */
        HereView: {
            /** @description Whether its tailscaled is the org's own, in a network namespace of its own. */
            own: boolean;
            /** @description Where tailscaled is on the way in. */
            state?: string | null;
            /** @description Its addresses. */
            addresses: string[];
            /** @description What tailscaled says is wrong. */
            health: string[];
            /** @description Why it cannot be used. */
            problem?: components["schemas"]["Problem"] | null;
        };
        /** @description A machine of the tailnet. */
        NodeView: {
            /** @description Its name there. */
            name: string;
            /** @description Its addresses there. */
            addresses: string[];
            /** @description Whether the server sees it. */
            online: boolean;
            /** @description Its tags. */
            tags: string[];
            /** @description The device that it is, by name. */
            device?: string | null;
            /** @description The device's key. */
            did?: components["schemas"]["Did"] | null;
            /** @description The member who owns it. */
            owner?: string | null;
        };
        /** @description Who is at an address of the tailnet. */
        WhoView: {
            /** @description The device, by name. */
            name: string;
            /** @description Its key. */
            device: components["schemas"]["Did"];
            /** @description The member who owns it. */
            owner: string;
        };
        /** @description What could come next while a sentence is written. */
        Completions: {
            /** @description The best first. */
            completions: components["schemas"]["Completion"][];
            /** @description Things whose name or title holds the words so far. */
            found: components["schemas"]["CommandItem"][];
        };
        /** @description One completion. Positions count UTF-16 code units, as browsers do. */
        Completion: {
            /**
             * Format: uint
             * @description What is replaced, from here …
             */
            from: number;
            /**
             * Format: uint
             * @description … to here.
             */
            to: number;
            /** @description By this. */
            insert: string;
            /** @description As it is shown. */
            label: string;
            /** @description What it stands for. */
            what: string;
            /** @description `sentence`, `word`, `task`, `feature`, `run`, `patch`, `agent`, `device`, `project`, `time`, `text`. */
            kind: string;
        };
        /** @description A thing that an answer is about, with what a link to it needs. */
        CommandItem: {
            /** @description What it is. */
            kind: components["schemas"]["ItemKind"];
            /** @description Its id or name. */
            id: string;
            /** @description Its project. */
            project: components["schemas"]["ProjectName"] | null;
            /** @description Its feature. */
            feature: components["schemas"]["FeatureId"] | null;
            /** @description What people call it. */
            label: string;
            /** @description Where it stands, in a few words. */
            detail: string;
        };
        /** @description Sorts of things that an answer is about. */
        ItemKind: "run" | "task" | "patch" | "feature" | "project" | "agent" | "device";
        /** @description What came of a sentence. Nothing was changed by it. */
        CommandAnswer: {
            /** @description The conversation, for the next sentence. */
            conversation: string;
            /** @description Who understood it. */
            by: components["schemas"]["By"];
            /** @description What was understood, in words. */
            understood: string | null;
            /** @description The answer in words, perhaps several lines; empty where there is none. */
            text: string;
            /** @description What was looked at for it. */
            looked: components["schemas"]["Looked"][];
            /** @description What the answer is about. */
            items: components["schemas"]["CommandItem"][];
            /** @description Changes that wait for a yes. */
            proposals: components["schemas"]["Proposal"][];
            /** @description What cannot be done, and why. */
            problems: components["schemas"]["Problem"][];
            /** @description Where several things fit: sentences to choose from. */
            choices: components["schemas"]["Choice2"][];
            /** @description Where it was not understood: sentences that would be. */
            examples: string[];
            /** @description Whether the model read text of repositories, logs or notes in this conversation. */
            untrusted: boolean;
        };
        /** @description Who understood a sentence. */
        By: "grammar" | "model" | "nobody";
        /** @description A read that was carried out. */
        Looked: {
            /** @description The action. */
            action: string;
            /** @description Its input. */
            input: unknown;
            /** @description In words. */
            sentence: string;
        };
        /** @description A change that waits for a yes. */
        Proposal: {
            /** @description Its id in the conversation. */
            id: string;
            /** @description The action. */
            action: string;
            /** @description Its input, with nothing left open. */
            input: unknown;
            /** @description What it would do, in words. */
            sentence: string;
            /** @description On what. */
            effect: components["schemas"]["CommandEffect"];
            /** @description How it could be undone, in words; none where it cannot. */
            undo: string | null;
            /** @description Proposed by the model after it had read text of repositories, logs or notes: look twice. */
            untrusted: boolean;
            /** @description Until when a yes counts. */
            until: components["schemas"]["Timestamp"];
        };
        /** @description On what a change would act. */
        CommandEffect: {
            /**
             * Format: uint
             * @description How many.
             */
            count: number;
            /** @description Of what: `task`, `run`, `patch`. */
            of: string;
            /** @description Which. */
            names: string[];
            /** @description What else is to be known. */
            notes: string[];
        };
        /** @description A sentence to choose. */
        Choice2: {
            /** @description The whole sentence. */
            sentence: string;
            /** @description What it would be about. */
            label: string;
        };
        /** @description What came of several. */
        CommandResults: {
            /** @description In their order. */
            results: components["schemas"]["CommandResult"][];
        };
        /** @description What came of a yes. */
        CommandResult: {
            /** @description The proposal. */
            proposal: string;
            /** @description The action. */
            action: string;
            /** @description What was to be done, in words. */
            sentence: string;
            /** @description Whether it was done. */
            done: boolean;
            /** @description What came of it, in words. */
            text: string;
            /** @description Why it was not done. */
            problem: components["schemas"]["Problem"] | null;
            /** @description What it is about. */
            items: components["schemas"]["CommandItem"][];
            /** @description The action's own output. */
            output: unknown;
            /** @description How it can be undone now, in words. */
            undo: string | null;
        };
        /** @description The settings as they are shown. */
        Shown8: {
            /** @description The model; none where there is none. */
            model: components["schemas"]["Model"] | null;
            /** @description What it may use in a day (UTC). */
            budget: components["schemas"]["Budget"];
            /** @description What it used today. */
            used: components["schemas"]["Usage"];
        };
    };
    responses: {
        /** @description What happened, why, and what to do. */
        Problem: {
            headers: {
                [name: string]: unknown;
            };
            content: {
                "application/json": {
                    error: components["schemas"]["Problem"];
                };
            };
        };
    };
    parameters: never;
    requestBodies: never;
    headers: never;
    pathItems: never;
}
export type $defs = Record<string, never>;
export interface operations {
    session_show: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Done. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Session"];
                };
            };
            default: components["responses"]["Problem"];
        };
    };
    session_list: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Done. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Browser"][];
                };
            };
            default: components["responses"]["Problem"];
        };
    };
    session_end: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: {
            content: {
                "application/json": {
                    /** @description The public id of its session. */
                    id: string;
                };
            };
        };
        responses: {
            /** @description Done. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Done"];
                };
            };
            default: components["responses"]["Problem"];
        };
    };
    session_end_all: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: {
            content: {
                "application/json": Record<string, never>;
            };
        };
        responses: {
            /** @description Done. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Done"];
                };
            };
            default: components["responses"]["Problem"];
        };
    };
    attention_list: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Done. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Item"][];
                };
            };
            default: components["responses"]["Problem"];
        };
    };
    org_create: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: {
            content: {
                "application/json": {
                    /** @description The org's name. */
                    name: string;
                    /**
                     * @description What people call its founder; this machine's user name where nothing is said.
                     * @default null
                     */
                    member?: string | null;
                    /**
                     * @description The full path of a person's existing Radicle profile: its key, storage and node are used in place.
                     * @default null
                     */
                    rad_home?: string | null;
                    /**
                     * @description What the profile's key is protected by; `RAD_PASSPHRASE` of the orchestrator where nothing is said. It is kept
                     *     encrypted.
                     * @default null
                     */
                    passphrase?: string | null;
                    /**
                     * @description The tailnet in which its devices reach each other: the address of a Headscale server, or `managed` for one that this device runs.
                     *     None where nothing is said.
                     * @default null
                     */
                    headscale?: string | null;
                    /**
                     * @description Where a server that this device runs is reached by others, as `host:port`; this machine's address on the way out, and port 8080,
                     *     where nothing is said.
                     * @default null
                     */
                    headscale_listen?: string | null;
                    /**
                     * @description The API key of a server that is there. It is kept encrypted.
                     * @default null
                     */
                    headscale_key?: string | null;
                    /**
                     * @description Enter the tailnet with a tailscaled of the org's own, which Meshwork runs as root in a network namespace of the org's own: for a machine
                     *     that is in another tailnet already.
                     * @default false
                     */
                    own_tailscaled?: boolean;
                };
            };
        };
        responses: {
            /** @description Done. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["OrgView"];
                };
            };
            default: components["responses"]["Problem"];
        };
    };
    org_list: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Done. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Joined"][];
                };
            };
            default: components["responses"]["Problem"];
        };
    };
    org_leave: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: {
            content: {
                "application/json": {
                    /**
                     * @description Give up joining an org, and stay in this one.
                     * @default false
                     */
                    joining?: boolean;
                };
            };
        };
        responses: {
            /** @description Done. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Done"];
                };
            };
            default: components["responses"]["Problem"];
        };
    };
    org_show: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Done. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["OrgView"];
                };
            };
            default: components["responses"]["Problem"];
        };
    };
    org_invite: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: {
            content: {
                "application/json": {
                    /**
                     * @description The role of a new member; developer where nothing is said.
                     * @default null
                     */
                    role?: ("owner" | "maintainer" | "developer" | "viewer" | "reviewer-bot" | "agent") | null;
                    /**
                     * @description Instead of a new member: one more device of this one; `me` for the member here.
                     * @default null
                     */
                    member?: string | null;
                    /**
                     * Format: uint32
                     * @description Hours until the ticket counts no more, from 1 to 720 (30 days); three days where nothing is said.
                     * @default null
                     */
                    hours?: number | null;
                    /**
                     * Format: uint32
                     * @description How many devices may join with it; one where nothing is said.
                     * @default null
                     */
                    uses?: number | null;
                    /**
                     * @description Where the Join port of this device is reached, as `host:port`; where it listens, where nothing is said.
                     * @default []
                     */
                    at?: string[];
                };
            };
        };
        responses: {
            /** @description Done. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["InviteView"];
                };
            };
            default: components["responses"]["Problem"];
        };
    };
    org_invites: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Done. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["InviteView"][];
                };
            };
            default: components["responses"]["Problem"];
        };
    };
    org_uninvite: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: {
            content: {
                "application/json": {
                    /** @description Its id, or the end of it. */
                    invite: string;
                };
            };
        };
        responses: {
            /** @description Done. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Done"];
                };
            };
            default: components["responses"]["Problem"];
        };
    };
    org_joiners: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Done. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["JoinerView"][];
                };
            };
            default: components["responses"]["Problem"];
        };
    };
    org_join: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: {
            content: {
                "application/json": {
                    /** @description The ticket. */
                    ticket: string;
                    /**
                     * @description What people are to call the one who joins; this machine's user name where nothing is said.
                     * @default null
                     */
                    name?: string | null;
                    /**
                     * @description What people are to call this device; its host name where nothing is said.
                     * @default null
                     */
                    device?: string | null;
                    /**
                     * @description Enter the org's tailnet with a tailscaled of the org's own, which Meshwork runs as root in a network namespace of the org's own: for a
                     *     machine that is in another tailnet already.
                     * @default false
                     */
                    own_tailscaled?: boolean;
                };
            };
        };
        responses: {
            /** @description Done. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["JoiningView"];
                };
            };
            default: components["responses"]["Problem"];
        };
    };
    org_joining: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Done. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["JoiningView"];
                };
            };
            default: components["responses"]["Problem"];
        };
    };
    org_proposals: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Done. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ProposalView"][];
                };
            };
            default: components["responses"]["Problem"];
        };
    };
    org_approve: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: {
            content: {
                "application/json": {
                    /** @description A proposal's id or its beginning; or somebody who waits: their name, their device's, or its key. */
                    what: string;
                    /**
                     * @description Why, for a rejection.
                     * @default null
                     */
                    why?: string | null;
                    /**
                     * @description The revision of a proposal that was looked at, for an approval; the first where nothing is said.
                     * @default null
                     */
                    revision?: string | null;
                };
            };
        };
        responses: {
            /** @description Done. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Outcome"];
                };
            };
            default: components["responses"]["Problem"];
        };
    };
    org_reject: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: {
            content: {
                "application/json": {
                    /** @description A proposal's id or its beginning; or somebody who waits: their name, their device's, or its key. */
                    what: string;
                    /**
                     * @description Why, for a rejection.
                     * @default null
                     */
                    why?: string | null;
                    /**
                     * @description The revision of a proposal that was looked at, for an approval; the first where nothing is said.
                     * @default null
                     */
                    revision?: string | null;
                };
            };
        };
        responses: {
            /** @description Done. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Done"];
                };
            };
            default: components["responses"]["Problem"];
        };
    };
    org_threshold: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: {
            content: {
                "application/json": {
                    /**
                     * Format: uint32
                     * @description How many.
                     */
                    owners: number;
                };
            };
        };
        responses: {
            /** @description Done. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Outcome"];
                };
            };
            default: components["responses"]["Problem"];
        };
    };
    member_roles: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: {
            content: {
                "application/json": {
                    /** @description The member. */
                    member: string;
                    /**
                     * @description Roles that they get.
                     * @default []
                     */
                    give?: ("owner" | "maintainer" | "developer" | "viewer" | "reviewer-bot" | "agent")[];
                    /**
                     * @description Roles that they lose.
                     * @default []
                     */
                    take?: ("owner" | "maintainer" | "developer" | "viewer" | "reviewer-bot" | "agent")[];
                };
            };
        };
        responses: {
            /** @description Done. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Outcome"];
                };
            };
            default: components["responses"]["Problem"];
        };
    };
    member_rename: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: {
            content: {
                "application/json": {
                    /** @description The member. */
                    member: string;
                    /** @description The new name. */
                    name: string;
                };
            };
        };
        responses: {
            /** @description Done. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Outcome"];
                };
            };
            default: components["responses"]["Problem"];
        };
    };
    member_standby: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: {
            content: {
                "application/json": {
                    /** @description The member. */
                    member: string;
                    /**
                     * @description A device of theirs; null: none any more.
                     * @default null
                     */
                    device?: string | null;
                };
            };
        };
        responses: {
            /** @description Done. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Outcome"];
                };
            };
            default: components["responses"]["Problem"];
        };
    };
    member_remove: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: {
            content: {
                "application/json": {
                    /** @description Who or what. */
                    name: string;
                    /**
                     * @description Keys were lost or stolen: nothing of them is taken any more, not even what they made before.
                     * @default false
                     */
                    lost?: boolean;
                    /**
                     * @description Why, for the org's records.
                     * @default null
                     */
                    why?: string | null;
                };
            };
        };
        responses: {
            /** @description Done. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Outcome"];
                };
            };
            default: components["responses"]["Problem"];
        };
    };
    device_change: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: {
            content: {
                "application/json": {
                    /** @description The device. */
                    device: string;
                    /**
                     * @description Its new name.
                     * @default null
                     */
                    name?: string | null;
                    /**
                     * @description Where its mesh port is reached, as `host:port`.
                     * @default null
                     */
                    addresses?: string[] | null;
                    /**
                     * @description Where its Radicle node is reached, as `host:port`.
                     * @default null
                     */
                    radicle?: string[] | null;
                    /**
                     * @description Where its gossip is reached, as `host:port`.
                     * @default null
                     */
                    gossip?: string[] | null;
                    /**
                     * @description What the org promises about it, as `region`; an empty value takes a promise back.
                     * @default {}
                     */
                    tags?: {
                        [key: string]: string;
                    };
                };
            };
        };
        responses: {
            /** @description Done. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Outcome"];
                };
            };
            default: components["responses"]["Problem"];
        };
    };
    device_remove: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: {
            content: {
                "application/json": {
                    /** @description Who or what. */
                    name: string;
                    /**
                     * @description Keys were lost or stolen: nothing of them is taken any more, not even what they made before.
                     * @default false
                     */
                    lost?: boolean;
                    /**
                     * @description Why, for the org's records.
                     * @default null
                     */
                    why?: string | null;
                };
            };
        };
        responses: {
            /** @description Done. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Outcome"];
                };
            };
            default: components["responses"]["Problem"];
        };
    };
    project_add: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: {
            content: {
                "application/json": {
                    /** @description Folder of the git working copy on this machine, or a Radicle id (`rad:z…`). */
                    source: string;
                    /**
                     * @description Its name in the org; the folder's name where nothing is said.
                     * @default null
                     */
                    name?: string | null;
                    /**
                     * @description Its default branch; the one that is checked out where nothing is said.
                     * @default null
                     */
                    branch?: string | null;
                    /**
                     * @description Whether everybody may read it.
                     * @default false
                     */
                    public?: boolean;
                    /**
                     * @description Where to clone from, as `did:key:z6Mk…@host:port`, one after the other; the connected nodes where nothing is said.
                     * @default []
                     */
                    seeds?: string[];
                };
            };
        };
        responses: {
            /** @description Done. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Added"];
                };
            };
            default: components["responses"]["Problem"];
        };
    };
    project_list: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Done. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ProjectView"][];
                };
            };
            default: components["responses"]["Problem"];
        };
    };
    project_show: {
        parameters: {
            query?: {
                project?: string | null;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Done. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Shown"];
                };
            };
            default: components["responses"]["Problem"];
        };
    };
    project_share: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: {
            content: {
                "application/json": {
                    /**
                     * @description The project.
                     * @default null
                     */
                    project?: string | null;
                    /** @description Keys of the nodes that may read it. */
                    with: string[];
                };
            };
        };
        responses: {
            /** @description Done. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Done"];
                };
            };
            default: components["responses"]["Problem"];
        };
    };
    project_gate: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: {
            content: {
                "application/json": {
                    /**
                     * @description The project; the only one where nothing is said.
                     * @default null
                     */
                    project?: string | null;
                    /**
                     * @description The devices that alone are to move the default branch, by their names: one, or three, of which two must sign. Merges are brought
                     *     to the first that is there.
                     * @default []
                     */
                    devices?: string[];
                    /**
                     * @description `true` instead of devices: the project's people move it again.
                     * @default false
                     */
                    open?: boolean;
                };
            };
        };
        responses: {
            /** @description Done. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Outcome"];
                };
            };
            default: components["responses"]["Problem"];
        };
    };
    project_mirror: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: {
            content: {
                "application/json": {
                    /**
                     * @description The project.
                     * @default null
                     */
                    project?: string | null;
                    /** @description The git remote's address; empty to end the mirror. */
                    remote: string;
                };
            };
        };
        responses: {
            /** @description Done. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Done"];
                };
            };
            default: components["responses"]["Problem"];
        };
    };
    project_pull: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: {
            content: {
                "application/json": {
                    /**
                     * @description The project.
                     * @default null
                     */
                    project?: string | null;
                    /** @description Folder of a git working copy on this machine, or a git remote's address. */
                    from: string;
                };
            };
        };
        responses: {
            /** @description Done. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Done"];
                };
            };
            default: components["responses"]["Problem"];
        };
    };
    project_sync: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: {
            content: {
                "application/json": {
                    /**
                     * @description The project; the only one where nothing is said.
                     * @default null
                     */
                    project?: string | null;
                };
            };
        };
        responses: {
            /** @description Done. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Done"];
                };
            };
            default: components["responses"]["Problem"];
        };
    };
    feature_new: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: {
            content: {
                "application/json": {
                    /**
                     * @description The project.
                     * @default null
                     */
                    project?: string | null;
                    /** @description A short name, as `login`. */
                    name: string;
                    /**
                     * @description What it is to do.
                     * @default
                     */
                    description?: string;
                };
            };
        };
        responses: {
            /** @description Done. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["FeatureMade"];
                };
            };
            default: components["responses"]["Problem"];
        };
    };
    task_list: {
        parameters: {
            query?: {
                project?: string | null;
                feature?: string | null;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Done. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["TaskView"][];
                };
            };
            default: components["responses"]["Problem"];
        };
    };
    task_show: {
        parameters: {
            query: {
                project?: string | null;
                feature?: string | null;
                task: string;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Done. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Shown2"];
                };
            };
            default: components["responses"]["Problem"];
        };
    };
    task_run: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: {
            content: {
                "application/json": {
                    /**
                     * @description A project's name within its org.
                     * @default null
                     */
                    project?: string | null;
                    /**
                     * @description The feature whose tasks are meant.
                     * @default null
                     */
                    feature?: string | null;
                    /**
                     * @description The tasks. None: all open ones of the feature, in order, independent ones side by side.
                     * @default []
                     */
                    tasks?: string[];
                    /**
                     * @description The agent; the only one where nothing is said.
                     * @default null
                     */
                    agent?: string | null;
                    /**
                     * @description The device that is to execute them, by its name or key; whichever suits best where nothing is said.
                     * @default null
                     */
                    on?: string | null;
                    /**
                     * @description Whether this device is to execute them.
                     * @default false
                     */
                    here?: boolean;
                    /**
                     * @description Tags that their devices must have, as `gpu` with the value `true`, beside those of the project.
                     * @default {}
                     */
                    tags?: {
                        [key: string]: string;
                    };
                    /**
                     * @description How important they are: the higher goes first, and displaces the lower where there is no room.
                     * @default normal
                     */
                    priority?: "low" | "normal" | "high";
                    /**
                     * @description A run, or a part of its id, on whose device they must not be: for a review or a second attempt that is to be independent.
                     * @default null
                     */
                    apart_from?: string | null;
                };
            };
        };
        responses: {
            /** @description Done. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Started"];
                };
            };
            default: components["responses"]["Problem"];
        };
    };
    task_takeover: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: {
            content: {
                "application/json": {
                    /**
                     * @description A project's name within its org.
                     * @default null
                     */
                    project?: string | null;
                    /**
                     * @description A Spec-Kit feature: its folder's name below `specs/`, as `003-login`.
                     * @default null
                     */
                    feature?: string | null;
                    /** @description The task. */
                    task: string;
                };
            };
        };
        responses: {
            /** @description Done. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Done"];
                };
            };
            default: components["responses"]["Problem"];
        };
    };
    task_add: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: {
            content: {
                "application/json": {
                    /**
                     * @description A project's name within its org.
                     * @default null
                     */
                    project?: string | null;
                    /**
                     * @description A Spec-Kit feature: its folder's name below `specs/`, as `003-login`.
                     * @default null
                     */
                    feature?: string | null;
                    /** @description What is to be done. */
                    title: string;
                    /**
                     * @description The phase's heading, or part of it; the last phase where nothing is said.
                     * @default null
                     */
                    phase?: string | null;
                    /**
                     * @description May go beside others of its phase.
                     * @default false
                     */
                    parallel?: boolean;
                    /**
                     * @description Its user story, as `US1`.
                     * @default null
                     */
                    story?: string | null;
                };
            };
        };
        responses: {
            /** @description Done. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Written"];
                };
            };
            default: components["responses"]["Problem"];
        };
    };
    task_edit: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: {
            content: {
                "application/json": {
                    /**
                     * @description A project's name within its org.
                     * @default null
                     */
                    project?: string | null;
                    /**
                     * @description A Spec-Kit feature: its folder's name below `specs/`, as `003-login`.
                     * @default null
                     */
                    feature?: string | null;
                    /** @description The task. */
                    task: string;
                    /** @description What it is to say. */
                    title: string;
                };
            };
        };
        responses: {
            /** @description Done. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Written"];
                };
            };
            default: components["responses"]["Problem"];
        };
    };
    task_why: {
        parameters: {
            query: {
                project?: string | null;
                feature?: string | null;
                task: string;
                agent?: string | null;
                tags?: {
                    [key: string]: string;
                };
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Done. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Why"];
                };
            };
            default: components["responses"]["Problem"];
        };
    };
    run_list: {
        parameters: {
            query?: {
                project?: string | null;
                state?: ("queued" | "placing" | "starting" | "preparing" | "working" | "verifying" | "publishing" | "done" | "failed" | "cancelled" | "evicted" | "lost" | "halted" | "paused" | "frozen" | "ending") | null;
                all?: boolean;
                limit?: number | null;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Done. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Listed"][];
                };
            };
            default: components["responses"]["Problem"];
        };
    };
    run_show: {
        parameters: {
            query: {
                run: string;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Done. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Shown3"];
                };
            };
            default: components["responses"]["Problem"];
        };
    };
    run_logs: {
        parameters: {
            query: {
                run: string;
                after?: number;
                limit?: number | null;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Done. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["LogPage"];
                };
            };
            default: components["responses"]["Problem"];
        };
    };
    run_diff: {
        parameters: {
            query: {
                run: string;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Done. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Diff"];
                };
            };
            default: components["responses"]["Problem"];
        };
    };
    run_send: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: {
            content: {
                "application/json": {
                    /** @description The run. */
                    run: string;
                    /** @description What to tell the agent. */
                    text: string;
                };
            };
        };
        responses: {
            /** @description Done. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Done"];
                };
            };
            default: components["responses"]["Problem"];
        };
    };
    run_answer: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: {
            content: {
                "application/json": {
                    /** @description The run. */
                    run: string;
                    /**
                     * @description The question's id; the only open one where nothing is said.
                     * @default null
                     */
                    question?: string | null;
                    /** @description The option's id, or `allow` or `deny`. */
                    option: string;
                };
            };
        };
        responses: {
            /** @description Done. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Done"];
                };
            };
            default: components["responses"]["Problem"];
        };
    };
    run_pause: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: {
            content: {
                "application/json": {
                    /** @description The run; the beginning or end of its id, or its task, will do where only one fits. */
                    run: string;
                };
            };
        };
        responses: {
            /** @description Done. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Done"];
                };
            };
            default: components["responses"]["Problem"];
        };
    };
    run_resume: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: {
            content: {
                "application/json": {
                    /** @description The run; the beginning or end of its id, or its task, will do where only one fits. */
                    run: string;
                };
            };
        };
        responses: {
            /** @description Done. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Done"];
                };
            };
            default: components["responses"]["Problem"];
        };
    };
    run_kept: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Done. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["KeptView"][];
                };
            };
            default: components["responses"]["Problem"];
        };
    };
    run_drop: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: {
            content: {
                "application/json": {
                    /** @description The run; the beginning or end of its id, or its task, will do where only one fits. */
                    run: string;
                };
            };
        };
        responses: {
            /** @description Done. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Done"];
                };
            };
            default: components["responses"]["Problem"];
        };
    };
    run_stop: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: {
            content: {
                "application/json": {
                    /** @description The run; the beginning or end of its id, or its task, will do where only one fits. */
                    run: string;
                };
            };
        };
        responses: {
            /** @description Done. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Done"];
                };
            };
            default: components["responses"]["Problem"];
        };
    };
    patch_list: {
        parameters: {
            query?: {
                project?: string | null;
                state?: ("draft" | "open" | "archived" | "merged") | null;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Done. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Listed2"][];
                };
            };
            default: components["responses"]["Problem"];
        };
    };
    patch_show: {
        parameters: {
            query: {
                project?: string | null;
                patch: string;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Done. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Shown4"];
                };
            };
            default: components["responses"]["Problem"];
        };
    };
    patch_diff: {
        parameters: {
            query: {
                project?: string | null;
                patch: string;
                revision?: string | null;
                since?: string | null;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Done. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Diff2"];
                };
            };
            default: components["responses"]["Problem"];
        };
    };
    patch_review: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: {
            content: {
                "application/json": {
                    /**
                     * @description A project's name within its org.
                     * @default null
                     */
                    project?: string | null;
                    patch: string;
                    /**
                     * @description The revision that was looked at: its number from 1, its id, or the beginning of it. Refused when a newer one has come.
                     * @default null
                     */
                    revision?: string | null;
                    /** @description What is said. */
                    verdict: "accept" | "reject" | "comment";
                    /**
                     * @description In words.
                     * @default
                     */
                    summary?: string;
                    /** @description Comments on lines. */
                    comments?: {
                        path: string;
                        /**
                         * Format: uint32
                         * @description From 1.
                         */
                        line: number;
                        /**
                         * @description Which side of the diff.
                         * @default new
                         */
                        side?: "old" | "new";
                        text: string;
                    }[];
                };
            };
        };
        responses: {
            /** @description Done. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Done"];
                };
            };
            default: components["responses"]["Problem"];
        };
    };
    patch_comment: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: {
            content: {
                "application/json": {
                    /**
                     * @description A project's name within its org.
                     * @default null
                     */
                    project?: string | null;
                    patch: string;
                    /** @description What you say. */
                    body: string;
                    /**
                     * @description The comment that it answers: its id, as patch.show gives it, or the beginning.
                     * @default null
                     */
                    reply_to?: string | null;
                };
            };
        };
        responses: {
            /** @description Done. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Commented"];
                };
            };
            default: components["responses"]["Problem"];
        };
    };
    patch_merge: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: {
            content: {
                "application/json": {
                    /**
                     * @description A project's name within its org.
                     * @default null
                     */
                    project?: string | null;
                    patch: string;
                    /**
                     * @description The revision that was looked at: its number from 1, its id, or the beginning of it. Refused when a newer one has come.
                     * @default null
                     */
                    revision?: string | null;
                };
            };
        };
        responses: {
            /** @description Done. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Outcome2"];
                };
            };
            default: components["responses"]["Problem"];
        };
    };
    patch_close: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: {
            content: {
                "application/json": {
                    /**
                     * @description A project's name within its org.
                     * @default null
                     */
                    project?: string | null;
                    /** @description The patch; the beginning of its id, or its task's id, will do where only one fits. */
                    patch: string;
                };
            };
        };
        responses: {
            /** @description Done. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Done"];
                };
            };
            default: components["responses"]["Problem"];
        };
    };
    patch_reopen: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: {
            content: {
                "application/json": {
                    /**
                     * @description A project's name within its org.
                     * @default null
                     */
                    project?: string | null;
                    /** @description The patch; the beginning of its id, or its task's id, will do where only one fits. */
                    patch: string;
                };
            };
        };
        responses: {
            /** @description Done. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Done"];
                };
            };
            default: components["responses"]["Problem"];
        };
    };
    agent_add: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: {
            content: {
                "application/json": {
                    /** @description Its name. */
                    name: string;
                    /** @description `codex`, `copilot`, `opencode`, `claude`, `gemini`; or `acp`, `command`, `replay`. */
                    engine: string;
                    /**
                     * @description For `command`: a line for the shell. For `acp`: a program and its arguments, in words as a shell splits them, quotes and
                     *     all, but run without one. For `replay`: the recording's path in the project, `{task}` for the task's id.
                     * @default null
                     */
                    command?: string | null;
                    /**
                     * @description The model's name.
                     * @default null
                     */
                    model?: string | null;
                    /**
                     * @description The model's address, as `https://api.openai.com/v1`.
                     * @default null
                     */
                    base_url?: string | null;
                    /**
                     * @description Its wire form: `responses`, `chat`, `messages`, `gemini`.
                     * @default null
                     */
                    api?: ("responses" | "chat" | "messages" | "gemini") | null;
                    /**
                     * @description The credential that holds its key.
                     * @default null
                     */
                    credential?: string | null;
                    /**
                     * Format: uint64
                     * @description Tokens that one run may use.
                     * @default null
                     */
                    tokens?: number | null;
                    /**
                     * Format: uint64
                     * @description Model calls that one run may make.
                     * @default null
                     */
                    calls?: number | null;
                    /**
                     * @description Money that one run may cost, as `2.50`, in the currency of the org's prices.
                     * @default null
                     */
                    money?: string | null;
                    /**
                     * @description What the model costs, where `quotas.toml` does not say it or it is another here.
                     * @default null
                     */
                    price?: {
                        /** @description Tokens read. */
                        input: string;
                        /** @description Tokens read from the provider's cache; as `input` where nothing is said. */
                        cached_input?: string | null;
                        /** @description Tokens written into the provider's cache; a quarter more than `input` where nothing is said, as Anthropic has it. */
                        cache_write?: string | null;
                        /** @description Tokens written. */
                        output: string;
                    } | null;
                    /**
                     * @description `sandbox`: tools are allowed at once. `ask`: a person answers.
                     * @default null
                     */
                    permissions?: ("sandbox" | "ask") | null;
                };
            };
        };
        responses: {
            /** @description Done. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["AgentView"];
                };
            };
            default: components["responses"]["Problem"];
        };
    };
    agent_list: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Done. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["AgentView"][];
                };
            };
            default: components["responses"]["Problem"];
        };
    };
    agent_remove: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: {
            content: {
                "application/json": {
                    /** @description An agent's name within its org. */
                    name: string;
                };
            };
        };
        responses: {
            /** @description Done. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Done"];
                };
            };
            default: components["responses"]["Problem"];
        };
    };
    engine_install: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: {
            content: {
                "application/json": {
                    /** @description `codex`, `copilot`, `opencode`, … */
                    name: string;
                };
            };
        };
        responses: {
            /** @description Done. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["EngineView"];
                };
            };
            default: components["responses"]["Problem"];
        };
    };
    engine_list: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Done. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["EngineView"][];
                };
            };
            default: components["responses"]["Problem"];
        };
    };
    credential_set: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: {
            content: {
                "application/json": {
                    /** @description A credential's name in this machine's vault. */
                    name: string;
                    /** @description The secret. */
                    value: string;
                    /** @default null */
                    kind?: ("api-key" | "token" | "git-host" | "radicle-passphrase" | "obsidian" | "login" | "generic") | null;
                    /**
                     * @description Whose it is, as `openai`.
                     * @default null
                     */
                    provider?: string | null;
                    /**
                     * @description Only in runs of these projects.
                     * @default []
                     */
                    projects?: string[];
                    /**
                     * @description Only in runs of these agents.
                     * @default []
                     */
                    agents?: string[];
                };
            };
        };
        responses: {
            /** @description Done. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Done"];
                };
            };
            default: components["responses"]["Problem"];
        };
    };
    credential_list: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Done. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["CredentialView"][];
                };
            };
            default: components["responses"]["Problem"];
        };
    };
    credential_test: {
        parameters: {
            query: {
                name: string;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Done. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Tested"];
                };
            };
            default: components["responses"]["Problem"];
        };
    };
    credential_protect: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: {
            content: {
                "application/json": {
                    /** @description What unlocks it. */
                    by: "key-file" | "passphrase" | "keyring";
                    /**
                     * @description The passphrase, where it is one.
                     * @default null
                     */
                    passphrase?: string | null;
                };
            };
        };
        responses: {
            /** @description Done. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Done"];
                };
            };
            default: components["responses"]["Problem"];
        };
    };
    credential_remove: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: {
            content: {
                "application/json": {
                    /** @description A credential's name in this machine's vault. */
                    name: string;
                };
            };
        };
        responses: {
            /** @description Done. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Done"];
                };
            };
            default: components["responses"]["Problem"];
        };
    };
    quota_show: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Done. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Shown5"];
                };
            };
            default: components["responses"]["Problem"];
        };
    };
    quota_set: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: {
            content: {
                "application/json": {
                    /**
                     * @description A member's name.
                     * @default null
                     */
                    member?: string | null;
                    /**
                     * @description An agent's name.
                     * @default null
                     */
                    agent?: string | null;
                    /**
                     * @description `day` or `month`.
                     * @default month
                     */
                    period?: "day" | "month";
                    /**
                     * Format: uint64
                     * @description Tokens read and written.
                     * @default null
                     */
                    tokens?: number | null;
                    /**
                     * Format: uint64
                     * @description Calls to models.
                     * @default null
                     */
                    calls?: number | null;
                    /**
                     * @description Money, as `25.00`, in the currency of the prices. With it, models whose price is not known are refused.
                     * @default null
                     */
                    money?: string | null;
                };
            };
        };
        responses: {
            /** @description Done. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Done"];
                };
            };
            default: components["responses"]["Problem"];
        };
    };
    quota_price: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: {
            content: {
                "application/json": {
                    /** @description The model's name, or its beginning with `*` at the end. */
                    model: string;
                    /**
                     * @description Only at this host.
                     * @default null
                     */
                    host?: string | null;
                    /**
                     * @description A million tokens read, as `1.25`. Without `input` and `output` the price is taken away.
                     * @default null
                     */
                    input?: string | null;
                    /**
                     * @description A million tokens from the provider's cache.
                     * @default null
                     */
                    cached_input?: string | null;
                    /**
                     * @description A million tokens into the provider's cache.
                     * @default null
                     */
                    cache_write?: string | null;
                    /**
                     * @description A million tokens written.
                     * @default null
                     */
                    output?: string | null;
                };
            };
        };
        responses: {
            /** @description Done. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Done"];
                };
            };
            default: components["responses"]["Problem"];
        };
    };
    quota_rules: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: {
            content: {
                "application/json": {
                    /**
                     * @description Models that may be used: names, or beginnings with `*` at the end; none of them: any.
                     * @default null
                     */
                    models?: string[] | null;
                    /**
                     * @description Whether requests and answers are kept, as blobs that can be erased.
                     * @default null
                     */
                    keep_content?: boolean | null;
                };
            };
        };
        responses: {
            /** @description Done. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Done"];
                };
            };
            default: components["responses"]["Problem"];
        };
    };
    stop_list: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Done. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Stop"][];
                };
            };
            default: components["responses"]["Problem"];
        };
    };
    stop_order: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: {
            content: {
                "application/json": {
                    /**
                     * @description An agent's runs.
                     * @default null
                     */
                    agent?: string | null;
                    /**
                     * @description A member's runs, by name.
                     * @default null
                     */
                    member?: string | null;
                    /**
                     * @description A device, by name: what it executes and what it asks for.
                     * @default null
                     */
                    device?: string | null;
                    /**
                     * @description The whole org.
                     * @default false
                     */
                    org?: boolean;
                    /** @description Why: everybody who waits is shown it. */
                    why: string;
                };
            };
        };
        responses: {
            /** @description Done. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Stop"];
                };
            };
            default: components["responses"]["Problem"];
        };
    };
    stop_lift: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: {
            content: {
                "application/json": {
                    /** @description The order's id, or its beginning. */
                    id: string;
                };
            };
        };
        responses: {
            /** @description Done. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Done"];
                };
            };
            default: components["responses"]["Problem"];
        };
    };
    token_create: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: {
            content: {
                "application/json": {
                    /** @description What it may do. */
                    role: "owner" | "maintainer" | "developer" | "viewer" | "reviewer-bot" | "agent";
                    /**
                     * @description What it is for.
                     * @default
                     */
                    label?: string;
                    /**
                     * Format: uint32
                     * @description Days until it counts no more; for ever where nothing is said.
                     * @default null
                     */
                    days?: number | null;
                };
            };
        };
        responses: {
            /** @description Done. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Created"];
                };
            };
            default: components["responses"]["Problem"];
        };
    };
    token_list: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Done. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["TokenView"][];
                };
            };
            default: components["responses"]["Problem"];
        };
    };
    token_revoke: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: {
            content: {
                "application/json": {
                    /** @description Its public id. */
                    id: string;
                };
            };
        };
        responses: {
            /** @description Done. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Done"];
                };
            };
            default: components["responses"]["Problem"];
        };
    };
    policy_show: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Done. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Shown6"];
                };
            };
            default: components["responses"]["Problem"];
        };
    };
    policy_explain: {
        parameters: {
            query: {
                who: string;
                action: string;
                project?: string | null;
                what?: string | null;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Done. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Explained"];
                };
            };
            default: components["responses"]["Problem"];
        };
    };
    policy_check: {
        parameters: {
            query?: {
                files?: {
                    /** @description Its path, as `policy/team.cedar`. */
                    path: string;
                    /** @description What stands in it. */
                    text: string;
                }[];
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Done. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Checked"];
                };
            };
            default: components["responses"]["Problem"];
        };
    };
    policy_set: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: {
            content: {
                "application/json": {
                    /** @description The file's name, as `team.cedar`. */
                    name: string;
                    /**
                     * @description What is to stand in it; nothing removes it.
                     * @default null
                     */
                    text?: string | null;
                    /**
                     * @description Set it also where nobody could do any more what somebody may now.
                     * @default false
                     */
                    anyway?: boolean;
                };
            };
        };
        responses: {
            /** @description Done. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Outcome"];
                };
            };
            default: components["responses"]["Problem"];
        };
    };
    trace_show: {
        parameters: {
            query: {
                project?: string | null;
                what: string;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Done. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Chain"];
                };
            };
            default: components["responses"]["Problem"];
        };
    };
    webhook_show: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Done. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Shown7"];
                };
            };
            default: components["responses"]["Problem"];
        };
    };
    webhook_set: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: {
            content: {
                "application/json": {
                    /** @description The address, as `https://host/path`; empty to have none. */
                    url: string;
                };
            };
        };
        responses: {
            /** @description Done. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Done"];
                };
            };
            default: components["responses"]["Problem"];
        };
    };
    webhook_test: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: {
            content: {
                "application/json": Record<string, never>;
            };
        };
        responses: {
            /** @description Done. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Done"];
                };
            };
            default: components["responses"]["Problem"];
        };
    };
    journal_list: {
        parameters: {
            query?: {
                after?: number | null;
                limit?: number | null;
                device?: string | null;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Done. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Entry"][];
                };
            };
            default: components["responses"]["Problem"];
        };
    };
    journal_search: {
        parameters: {
            query?: {
                text?: string;
                before?: number | null;
                limit?: number | null;
                device?: string | null;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Done. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Finds"];
                };
            };
            default: components["responses"]["Problem"];
        };
    };
    journal_copies: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Done. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["JournalView"][];
                };
            };
            default: components["responses"]["Problem"];
        };
    };
    journal_hash: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Done. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["PictureHash"];
                };
            };
            default: components["responses"]["Problem"];
        };
    };
    journal_verify: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Done. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Verified"];
                };
            };
            default: components["responses"]["Problem"];
        };
    };
    journal_rebuild: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: {
            content: {
                "application/json": Record<string, never>;
            };
        };
        responses: {
            /** @description Done. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Rebuilt"];
                };
            };
            default: components["responses"]["Problem"];
        };
    };
    backup_create: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: {
            content: {
                "application/json": {
                    /** @description The file to write, on this machine. It must not exist. */
                    path: string;
                    /** @description What opens it again. */
                    passphrase: string;
                };
            };
        };
        responses: {
            /** @description Done. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Done"];
                };
            };
            default: components["responses"]["Problem"];
        };
    };
    device_list: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Done. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["DeviceView"][];
                };
            };
            default: components["responses"]["Problem"];
        };
    };
    device_capacity: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Done. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Device2"][];
                };
            };
            default: components["responses"]["Problem"];
        };
    };
    device_pods: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Done. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Pod"][];
                };
            };
            default: components["responses"]["Problem"];
        };
    };
    device_schedule: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: {
            content: {
                "application/json": {
                    /** @description The statement: canonical JSON, in base64 on the wire. */
                    payload: string;
                    /** @description What sort of statement it is: a media type with a version. */
                    payloadType: string;
                    /** @description Who signed it. */
                    signatures: {
                        /** @description The key that signed. */
                        keyid: string;
                        /** @description Its signature over the pre-authentication encoding; base64 on the wire. */
                        sig: string;
                    }[];
                };
            };
        };
        responses: {
            /** @description Done. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Admission"];
                };
            };
            default: components["responses"]["Problem"];
        };
    };
    device_evict: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: {
            content: {
                "application/json": {
                    /**
                     * @description The run, or a part of its id; all that run here where nothing is said.
                     * @default null
                     */
                    run?: string | null;
                    /**
                     * @description Why, in words.
                     * @default null
                     */
                    reason?: string | null;
                    /**
                     * Format: uint64
                     * @description Milliseconds until processor and memory must be free; 30 s where nothing is said, 10 minutes at most.
                     * @default null
                     */
                    grace_ms?: number | null;
                };
            };
        };
        responses: {
            /** @description Done. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Done"];
                };
            };
            default: components["responses"]["Problem"];
        };
    };
    device_doctor: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Done. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["FindingView"][];
                };
            };
            default: components["responses"]["Problem"];
        };
    };
    device_lending: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Done. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["LendingView"];
                };
            };
            default: components["responses"]["Problem"];
        };
    };
    device_lend: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: {
            content: {
                "application/json": {
                    /**
                     * @description Whether guests are taken at all.
                     * @default null
                     */
                    guests?: boolean | null;
                    /**
                     * @description Classes that guests may run.
                     * @default null
                     */
                    classes?: ("agent" | "ci" | "job" | "docs" | "scan" | "service")[] | null;
                    /**
                     * Format: uint32
                     * @description How many of guests' runs at once at most; 0: all slots.
                     * @default null
                     */
                    slots?: number | null;
                    /**
                     * @description Whether guests run while the owner is at the machine.
                     * @default null
                     */
                    while_present?: boolean | null;
                    /**
                     * Format: uint64
                     * @description How long nothing may have been typed until the owner counts as away, in seconds.
                     * @default null
                     */
                    away_after_s?: number | null;
                    /**
                     * @description Whether guests run on battery.
                     * @default null
                     */
                    on_battery?: boolean | null;
                    /**
                     * @description Whether guests run while the lid is closed.
                     * @default null
                     */
                    lid_closed?: boolean | null;
                    /**
                     * @description When guests are taken, as `mon-fri 19:00-07:00` in the machine's own time; an empty list: always.
                     * @default null
                     */
                    hours?: string[] | null;
                    /**
                     * Format: uint64
                     * @description How long until guests' processors and memory are free after the owner wants the machine back, in seconds.
                     * @default null
                     */
                    grace_s?: number | null;
                    /**
                     * Format: uint32
                     * @description For how many days the checkpoint of a guest is kept that nobody brings away.
                     * @default null
                     */
                    saved_days?: number | null;
                    /**
                     * Format: uint32
                     * @description How much all of them may have at most, in GiB; the oldest of whoever has most go first.
                     * @default null
                     */
                    saved_gib?: number | null;
                    /**
                     * @description What this device says of itself, as `gpu: "true"`, beside what it says already; an empty value takes a tag away.
                     * @default {}
                     */
                    tags?: {
                        [key: string]: string;
                    };
                };
            };
        };
        responses: {
            /** @description Done. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["LendingView"];
                };
            };
            default: components["responses"]["Problem"];
        };
    };
    device_reclaim: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: {
            content: {
                "application/json": {
                    /**
                     * Format: uint64
                     * @description For how many minutes.
                     * @default null
                     */
                    minutes?: number | null;
                };
            };
        };
        responses: {
            /** @description Done. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Done"];
                };
            };
            default: components["responses"]["Problem"];
        };
    };
    device_release: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: {
            content: {
                "application/json": {
                    /**
                     * Format: uint64
                     * @description For how many minutes.
                     * @default null
                     */
                    minutes?: number | null;
                };
            };
        };
        responses: {
            /** @description Done. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Done"];
                };
            };
            default: components["responses"]["Problem"];
        };
    };
    tailnet_status: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Done. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["StatusView"];
                };
            };
            default: components["responses"]["Problem"];
        };
    };
    tailnet_who: {
        parameters: {
            query: {
                address: string;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Done. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["WhoView"];
                };
            };
            default: components["responses"]["Problem"];
        };
    };
    command_complete: {
        parameters: {
            query: {
                text: string;
                cursor?: number | null;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Done. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Completions"];
                };
            };
            default: components["responses"]["Problem"];
        };
    };
    command_understand: {
        parameters: {
            query: {
                text: string;
                conversation?: string | null;
                with?: ("grammar" | "model") | null;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Done. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["CommandAnswer"];
                };
            };
            default: components["responses"]["Problem"];
        };
    };
    command_run: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: {
            content: {
                "application/json": {
                    /** @description The conversation. */
                    conversation: string;
                    /** @description The proposals that were said yes to, in their order. */
                    proposals: string[];
                    /**
                     * @description Whether the person was told that a proposal came after text of others was read, and says yes all the same.
                     * @default false
                     */
                    knowingly?: boolean;
                };
            };
        };
        responses: {
            /** @description Done. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["CommandResults"];
                };
            };
            default: components["responses"]["Problem"];
        };
    };
    command_undo: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: {
            content: {
                "application/json": {
                    /** @description The conversation. */
                    conversation: string;
                    /** @description What was carried out. */
                    proposal: string;
                };
            };
        };
        responses: {
            /** @description Done. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["CommandResults"];
                };
            };
            default: components["responses"]["Problem"];
        };
    };
    command_settings: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Done. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Shown8"];
                };
            };
            default: components["responses"]["Problem"];
        };
    };
    command_model: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: {
            content: {
                "application/json": {
                    /** @description The model; none takes it away. */
                    model?: {
                        /** @description The model's name as its provider says it. */
                        name: string;
                        /** @description The provider's base address, up to and without `/chat/completions` and the like, as `https://api.openai.com/v1`. */
                        base_url: string;
                        /** @description Which wire form it speaks. */
                        api: "responses" | "chat" | "messages" | "gemini";
                        /** @description The credential in the vault that holds its key. */
                        credential: string;
                        /** @description What it costs; where nothing is said, as the org's `quotas.toml` says. */
                        price?: {
                            /** @description Tokens read. */
                            input: string;
                            /** @description Tokens read from the provider's cache; as `input` where nothing is said. */
                            cached_input?: string | null;
                            /** @description Tokens written into the provider's cache; a quarter more than `input` where nothing is said, as Anthropic has it. */
                            cache_write?: string | null;
                            /** @description Tokens written. */
                            output: string;
                        } | null;
                    } | null;
                    /**
                     * @description What it may use in a day (UTC); as it was where nothing is said.
                     * @default null
                     */
                    budget?: {
                        /**
                         * Format: uint64
                         * @description Tokens read and written.
                         * @default 20000000
                         */
                        tokens?: number;
                        /**
                         * Format: uint64
                         * @description Calls to the model.
                         * @default 2000
                         */
                        calls?: number;
                        /** @description Money, in the currency of the org's prices. With it, a model whose price nobody knows is refused. */
                        money?: string | null;
                    } | null;
                };
            };
        };
        responses: {
            /** @description Done. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Done"];
                };
            };
            default: components["responses"]["Problem"];
        };
    };
    device_capacity_short: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Done. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Device2"][];
                };
            };
            default: components["responses"]["Problem"];
        };
    };
    device_pods_short: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Done. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Pod"][];
                };
            };
            default: components["responses"]["Problem"];
        };
    };
    device_schedule_short: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: {
            content: {
                "application/json": {
                    /** @description The statement: canonical JSON, in base64 on the wire. */
                    payload: string;
                    /** @description What sort of statement it is: a media type with a version. */
                    payloadType: string;
                    /** @description Who signed it. */
                    signatures: {
                        /** @description The key that signed. */
                        keyid: string;
                        /** @description Its signature over the pre-authentication encoding; base64 on the wire. */
                        sig: string;
                    }[];
                };
            };
        };
        responses: {
            /** @description Done. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Admission"];
                };
            };
            default: components["responses"]["Problem"];
        };
    };
    device_evict_short: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: {
            content: {
                "application/json": {
                    /**
                     * @description The run, or a part of its id; all that run here where nothing is said.
                     * @default null
                     */
                    run?: string | null;
                    /**
                     * @description Why, in words.
                     * @default null
                     */
                    reason?: string | null;
                    /**
                     * Format: uint64
                     * @description Milliseconds until processor and memory must be free; 30 s where nothing is said, 10 minutes at most.
                     * @default null
                     */
                    grace_ms?: number | null;
                };
            };
        };
        responses: {
            /** @description Done. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Done"];
                };
            };
            default: components["responses"]["Problem"];
        };
    };
    health: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
        };
    };
    events: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
        };
    };
    metrics: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
        };
    };
    "openapi.json": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
        };
    };
}
