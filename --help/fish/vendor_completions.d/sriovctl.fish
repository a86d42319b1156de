# fish completion for sriovctl. Written by build/manuals: do not edit.

function __sriovctl_at --argument-names verb number # whether argument NUMBER of VERB is to be completed
    set -l words (commandline -opc)[2..-1]
    set -l left
    set -l takes ''
    for word in $words
        if test -n "$takes"
            set takes ''
        else if string match -q -- '-*' $word
            contains -- $word --state-dir --replay --wait --after --count -o --output --watch --svg --log --take --forget --network --store --runs --plugin; and set takes yes
        else
            set left $left $word
        end
    end
    if test -z "$verb"
        test -z "$takes"; and test (count $left) -eq 0
    else
        test (count $left) -gt 0; and test "$left[1]" = "$verb"; or return 1
        test -z "$number"; and return 0
        test -z "$takes"; and test (count $left) -eq (math $number + 1)
    end
end

function __sriovctl_pf # a PCI device that can have VFs, and its interfaces
    for path in /sys/bus/pci/devices/*/sriov_totalvfs
        set -l device (string replace -r '/[^/]*$' '' $path)
        string replace -r '.*/' '' $device
        for name in $device/net/*
            string replace -r '.*/' '' $name
        end
    end
end

function __sriovctl_vf
    for path in /sys/bus/pci/devices/*/physfn
        string replace -r '.*/([^/]*)/physfn$' '$1' $path
    end
end

function __sriovctl_container
    for path in /run/cni-sriov/locks/*@*
        string replace -r '.*/([^/]*)@[^@]*$' '$1' $path
    end
end

complete -c sriovctl -f

complete -c sriovctl -n "__sriovctl_at ''" -s h -l help -d 'show this help message and exit'
complete -c sriovctl -n "__sriovctl_at ''" -s V -l version -d 'which sriovctl this is'
complete -c sriovctl -l state-dir -d 'a stateDir to look at besides those in use (default /var/lib/cni/sriov)' -x -a '(__fish_complete_directories)'
complete -c sriovctl -l json -d 'one JSON document on standard output'
complete -c sriovctl -l replay -d 'look at a recording (sriovctl record) instead of this node; - is standard input' -r -F
complete -c sriovctl -n "__sriovctl_at ''" -a vfs -d 'how many VFs each PF has, or shall have, and who has them'
complete -c sriovctl -n "__sriovctl_at vfs" -s h -l help -d 'show this help message and exit'
complete -c sriovctl -n "__sriovctl_at vfs" -l dry-run -d 'only say what would be done, or refused'
complete -c sriovctl -n "__sriovctl_at vfs" -l persist -d 'at each boot, too: by an entry of /etc/cni-sriov/host.json, and the unit sriov-host.service, which is written if there is none, and enabled'
complete -c sriovctl -n "__sriovctl_at vfs 0" -a '(__sriovctl_pf)'
complete -c sriovctl -n "__sriovctl_at ''" -a apply -d 'bring PFs and VFs to what the host\'s file says'
complete -c sriovctl -n "__sriovctl_at apply" -s h -l help -d 'show this help message and exit'
complete -c sriovctl -n "__sriovctl_at apply" -l dry-run -d 'only say what would be done'
complete -c sriovctl -n "__sriovctl_at apply" -l wait -d 'at boot: wait so long at most for the PFs that the file names' -x
complete -c sriovctl -n "__sriovctl_at apply 0" -F
complete -c sriovctl -n "__sriovctl_at ''" -a oracle -d 'how many VFs a PF can have in its slot, and why not more'
complete -c sriovctl -n "__sriovctl_at oracle" -s h -l help -d 'show this help message and exit'
complete -c sriovctl -n "__sriovctl_at oracle" -l after -d 'say what this answer to a write into sriov_numvfs meant: ENOMEM, or \'Cannot allocate memory\'' -x
complete -c sriovctl -n "__sriovctl_at oracle" -l count -d 'the number that was written, with --after' -x
complete -c sriovctl -n "__sriovctl_at oracle 0" -a '(__sriovctl_pf)'
complete -c sriovctl -n "__sriovctl_at ''" -a bind -d 'give a device another driver: vfio-pci, uio_pci_generic, igb_uio, its kernel driver, or what fits'
complete -c sriovctl -n "__sriovctl_at bind" -s h -l help -d 'show this help message and exit'
complete -c sriovctl -n "__sriovctl_at bind" -l force -d 'also a PF, or one of an IOMMU group that is not all on vfio-pci yet'
complete -c sriovctl -n "__sriovctl_at bind" -l dry-run -d 'only show what would be done'
complete -c sriovctl -n "__sriovctl_at bind 0" -a '(__sriovctl_pf) (__sriovctl_vf)'
complete -c sriovctl -n "__sriovctl_at bind 1" -a 'auto kernel vfio-pci uio_pci_generic igb_uio'
complete -c sriovctl -n "__sriovctl_at ''" -a unbind -d 'take the driver off a device'
complete -c sriovctl -n "__sriovctl_at unbind" -s h -l help -d 'show this help message and exit'
complete -c sriovctl -n "__sriovctl_at unbind" -l force -d 'also a PF, or one of an IOMMU group that is not all on vfio-pci yet'
complete -c sriovctl -n "__sriovctl_at unbind" -l dry-run -d 'only show what would be done'
complete -c sriovctl -n "__sriovctl_at unbind 0" -a '(__sriovctl_pf) (__sriovctl_vf)'
complete -c sriovctl -n "__sriovctl_at ''" -a restore -d 'a device as it was before bind or unbind'
complete -c sriovctl -n "__sriovctl_at restore" -s h -l help -d 'show this help message and exit'
complete -c sriovctl -n "__sriovctl_at restore" -l force -d 'also a PF, or one of an IOMMU group that is not all on vfio-pci yet'
complete -c sriovctl -n "__sriovctl_at restore" -l dry-run -d 'only show what would be done'
complete -c sriovctl -n "__sriovctl_at restore 0" -a '(__sriovctl_pf) (__sriovctl_vf)'
complete -c sriovctl -n "__sriovctl_at ''" -a status -d 'PFs, their VFs, and the containers that have them'
complete -c sriovctl -n "__sriovctl_at status" -s h -l help -d 'show this help message and exit'
complete -c sriovctl -n "__sriovctl_at status" -l free -d 'only VFs that an ADD may take'
complete -c sriovctl -n "__sriovctl_at status" -s o -l output -d 'wide: all columns, and the devices below; json: as --json; name: the VFs\' PCI addresses, one a line' -x -a 'wide json name'
complete -c sriovctl -n "__sriovctl_at status" -l wide -d 'as -o wide'
complete -c sriovctl -n "__sriovctl_at status" -l devices -d 'the devices that DPDK can drive, by who drives them, as dpdk-devbind --status has them'
complete -c sriovctl -n "__sriovctl_at status" -l watch -d 'look again and again, every 2 s unless SECONDS says otherwise; with --json one document a line' -x
complete -c sriovctl -n "__sriovctl_at status" -l svg -d 'draw card, ports, VFs, containers, VLANs and subnets; - is standard output' -r -F
complete -c sriovctl -n "__sriovctl_at status 0" -a '(__sriovctl_pf) (__sriovctl_vf) (__sriovctl_container)'
complete -c sriovctl -n "__sriovctl_at ''" -a metrics -d 'VFs, leases and counters as a Prometheus textfile'
complete -c sriovctl -n "__sriovctl_at metrics" -s h -l help -d 'show this help message and exit'
complete -c sriovctl -n "__sriovctl_at metrics 0" -F
complete -c sriovctl -n "__sriovctl_at ''" -a doctor -d 'what is wrong with this node, and what helps'
complete -c sriovctl -n "__sriovctl_at doctor" -s h -l help -d 'show this help message and exit'
complete -c sriovctl -n "__sriovctl_at doctor" -l list -d 'only list the rules it knows'
complete -c sriovctl -n "__sriovctl_at doctor 0" -a '(__sriovctl_pf)'
complete -c sriovctl -n "__sriovctl_at ''" -a record -d 'what sriovctl sees of this node, into a file that --replay looks at'
complete -c sriovctl -n "__sriovctl_at record" -s h -l help -d 'show this help message and exit'
complete -c sriovctl -n "__sriovctl_at record" -l anonymous -d 'hide who runs here: container, pod and host names, half of each MAC, IP addresses'
complete -c sriovctl -n "__sriovctl_at record" -l force -d 'replace FILE if it is there'
complete -c sriovctl -n "__sriovctl_at record 0" -F
complete -c sriovctl -n "__sriovctl_at ''" -a leases -d 'the subnets that are given out'
complete -c sriovctl -n "__sriovctl_at leases" -s h -l help -d 'show this help message and exit'
complete -c sriovctl -n "__sriovctl_at ''" -a explain -d 'one attachment\'s story: who asked, when, which VF and why that one, what was set, what the log says'
complete -c sriovctl -n "__sriovctl_at explain" -s h -l help -d 'show this help message and exit'
complete -c sriovctl -n "__sriovctl_at explain" -l log -d 'a log file to read besides those of the Record and of /etc/cni/net.d; may be repeated' -r -F
complete -c sriovctl -n "__sriovctl_at explain 0" -a '(__sriovctl_container) (__sriovctl_vf)'
complete -c sriovctl -n "__sriovctl_at ''" -a baseline -d 'what each VF was at first, and what of it differs now'
complete -c sriovctl -n "__sriovctl_at baseline" -s h -l help -d 'show this help message and exit'
complete -c sriovctl -n "__sriovctl_at baseline" -l take -d 'what that VF is now is golden from now on' -x -a '(__sriovctl_vf)'
complete -c sriovctl -n "__sriovctl_at baseline 0" -a '(__sriovctl_pf) (__sriovctl_vf)'
complete -c sriovctl -n "__sriovctl_at ''" -a gc -d 'take back VFs and subnets that provably nobody owns any more'
complete -c sriovctl -n "__sriovctl_at gc" -s h -l help -d 'show this help message and exit'
complete -c sriovctl -n "__sriovctl_at gc" -l dry-run -d 'only say what would be taken back'
complete -c sriovctl -n "__sriovctl_at gc" -l forget -d 'give up this state file, which cannot be read, and what it holds; nothing else is taken back' -r -F
complete -c sriovctl -n "__sriovctl_at ''" -a release -d 'give back what one container\'s interface holds, on your word: for a container that is gone and told nobody'
complete -c sriovctl -n "__sriovctl_at release" -s h -l help -d 'show this help message and exit'
complete -c sriovctl -n "__sriovctl_at release" -l yes -d 'do not ask'
complete -c sriovctl -n "__sriovctl_at release" -l dry-run -d 'only say what would be given back, and who uses it'
complete -c sriovctl -n "__sriovctl_at ''" -a forget -d 'no longer keep the subnets of a pod that does not come back (sticky)'
complete -c sriovctl -n "__sriovctl_at forget" -s h -l help -d 'show this help message and exit'
complete -c sriovctl -n "__sriovctl_at forget" -l dry-run -d 'only show what is kept for it'
complete -c sriovctl -n "__sriovctl_at ''" -a import -d 'lease by host-subnet what host-local gave out'
complete -c sriovctl -n "__sriovctl_at import" -s h -l help -d 'show this help message and exit'
complete -c sriovctl -n "__sriovctl_at import" -l network -d 'its old name (default: as in FILE)' -x
complete -c sriovctl -n "__sriovctl_at import" -l store -d 'host-local\'s dataDir (default /var/lib/cni/networks)' -x -a '(__fish_complete_directories)'
complete -c sriovctl -n "__sriovctl_at import" -l dry-run -d 'only say what would be leased'
complete -c sriovctl -n "__sriovctl_at import 0" -a 'host-local'
complete -c sriovctl -n "__sriovctl_at import 1" -F
complete -c sriovctl -n "__sriovctl_at ''" -a validate -d 'judge a configuration; warnings do not fail it'
complete -c sriovctl -n "__sriovctl_at validate" -s h -l help -d 'show this help message and exit'
complete -c sriovctl -n "__sriovctl_at validate" -l device-id-given -d 'the runtime names the VF (Multus with a device plugin): the configuration needs not'
complete -c sriovctl -n "__sriovctl_at validate 0" -F
complete -c sriovctl -n "__sriovctl_at ''" -a profile -d 'attach and detach for real, which takes a VF for a moment, and show where the time goes'
complete -c sriovctl -n "__sriovctl_at profile" -s h -l help -d 'show this help message and exit'
complete -c sriovctl -n "__sriovctl_at profile" -l runs -d 'how often (default 5); shown are medians' -x
complete -c sriovctl -n "__sriovctl_at profile" -l plugin -d 'the plugin (default: `sriov` beside sriovctl)' -r -F
complete -c sriovctl -n "__sriovctl_at profile 0" -F
complete -c sriovctl -n "__sriovctl_at ''" -a help -d 'what sriovctl, or a verb of it, is for and takes'
complete -c sriovctl -n "__sriovctl_at help" -s h -l help -d 'show this help message and exit'
complete -c sriovctl -n "__sriovctl_at help 0" -a 'vfs apply oracle bind unbind restore status metrics doctor record leases explain baseline gc release forget import validate profile help version'
complete -c sriovctl -n "__sriovctl_at ''" -a version -d 'which sriovctl this is'
complete -c sriovctl -n "__sriovctl_at version" -s h -l help -d 'show this help message and exit'
